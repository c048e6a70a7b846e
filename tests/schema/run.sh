#!/usr/bin/env bash
# Holds the JSON schemas of deploy/schemas against what they describe, with validators that are not ours:
# the samples, manifests that the API server refuses, and generated ones.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
cd "$root"
check=$(hack/python-tool.sh check-jsonschema)
kubeconform=$(hack/go-tool.sh kubeconform)
group=deploy/schemas/sessionmanager.dev
schema=$group/sessionmanagerrole_v1alpha1.json

# Of our kind: files with other kinds beside it are for kubeconform, which finds the schema by the kind.
samples=()
while read -r sample; do
    grep -q '^kind: Kustomization' "$sample" || samples+=("$sample")
done < <(find deploy/samples -maxdepth 1 -name '*.yaml')
((${#samples[@]} >= 4)) || fail "deploy/samples has too few samples: ${samples[*]}"
"$check" --check-metaschema "$schema" >&2
"$check" --schemafile "$schema" "${samples[@]}" >&2

location='deploy/schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json'
mapfile -t manifests < <(grep -rl '^kind: SessionManagerRole$' deploy/samples docs/examples --include='*.yaml' | grep -v /mistyped)
((${#manifests[@]} >= 4)) || fail 'too few manifests of SessionManagerRoles were found'
"$kubeconform" -strict -summary -skip CustomResourceDefinition,Kustomization -schema-location "$location" "${manifests[@]}" >&2

refused() {
    if "$check" --schemafile "$schema" "$1" >/dev/null; then fail "the schema accepts $1"; fi
    if "$kubeconform" -strict -schema-location "$location" "$1" >/dev/null; then fail "kubeconform accepts $1"; fi
}
refused docs/examples/mistyped.yaml
# The last two differ from the first in one letter, and in a type.
good=$(mktemp -d)
trap 'rm -rf "$good"' EXIT
cat >"$good/good.yaml" <<'YAML'
apiVersion: sessionmanager.dev/v1alpha1
kind: SessionManagerRole
metadata: {name: web}
spec: {role: {maxSessionDurationSeconds: 7200}}
YAML
sed 's/maxSession/maxsession/' "$good/good.yaml" >"$good/letter.yaml"
sed "s/7200/'7200'/" "$good/good.yaml" >"$good/type.yaml"
"$check" --schemafile "$schema" "$good/good.yaml" >&2
refused "$good/letter.yaml"
refused "$good/type.yaml"

SMR_JSON_SCHEMA_PYTHON=$(hack/python-tool.sh python)
export SMR_JSON_SCHEMA_PYTHON
"${CARGO:-cargo}" test -q -p smr-manifest --test json_schema -- --ignored
