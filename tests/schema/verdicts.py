"""Verdicts of an independent JSON Schema validator. In: a schema's file, and objects on standard input, one
a line; out: a line 'yes' or 'no' for each."""

import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for line in sys.stdin:
    print("yes" if validator.is_valid(json.loads(line)) else "no")
