"""The commands of docs/controller-iam.md, as they stand there, with AWS's own command line and moto for AWS.

In: the program, the endpoint of a moto server, a folder. Out: for each way of the page, the documents that IAM has
afterwards, as files in that folder; exit 1 where they are not those that the program prints (deploy/iam).

    cloudformation.py SMR ENDPOINT FOLDER KUBECTL

The example overlay is built with kubectl: it has to fit these documents.

The command line is the real one: it refuses a flag that it does not know, and a file that it can't read. cfn-lint, which
knows AWS's schemas, judges each template besides. What moto 5.2.5 leaves out, and what is checked instead:

- EKS' Pod Identity associations. The command line checks the command without sending it; the resource is cfn-lint's.
- ManagedPolicyArns of a role in a template. The template itself is read.
- The deletion of policies with their stack, so that the boundary's Retain can't be seen here. The program's unit tests
  read it in the template.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import boto3
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/controller-iam.md"
ACCOUNT, REGION, NAME = "111122223333", "eu-central-1", "session-manager-role"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/session-manager-boundary"
# The headings of the page, and the files of deploy/iam that IAM has to hold afterwards.
WAYS = {
    "With EKS Pod Identity": "trust-pod-identity",
    "With IRSA": "trust-irsa",
    "By hand": "trust-pod-identity",
    "Where the controller does not run on EKS": None,
}
# AWS's command line; with this flag it checks a command and sends nothing.
AWS = """#!/usr/bin/env bash
if [[ $1 == eks ]]; then set -- "$@" --generate-cli-skeleton output; fi
exec {} "$@"
"""


def blocks() -> dict[str, str]:
    """The first block of commands below each heading."""
    found: dict[str, str] = {}
    heading = ""
    for part in re.finditer(r"^#+ ([^\n]+)$|^```sh aws\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        if part[1]:
            heading = part[1]
        else:
            found.setdefault(heading, part[2])
    return found


class Account:
    """An empty account of moto."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset, timeout=60).close()
        keys = {"aws_access_key_id": "anyone", "aws_secret_access_key": "anyone"}
        self.client = lambda service: boto3.client(service, REGION, endpoint_url=endpoint, **keys)
        self.iam = self.client("iam")

    def run(self, commands: str, smr: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            os.symlink(smr, Path(scratch, "smr"))
            Path(scratch, "aws").write_text(AWS.format(Path(sys.executable).parent / "aws"))
            Path(scratch, "aws").chmod(0o755)
            environment = {
                "PATH": os.pathsep.join([scratch, os.environ["PATH"]]),
                "HOME": scratch,
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_ACCESS_KEY_ID": "anyone",
                "AWS_SECRET_ACCESS_KEY": "anyone",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_PAGER": "",
                "PYTHONWARNINGS": "ignore",
            }
            subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=scratch, env=environment, check=True)
            for file in Path(scratch).glob("*.json"):
                resources = json.loads(file.read_text()).get("Resources")
                if resources:
                    lint(file)
                    attached = resources["ControllerRole"]["Properties"]["ManagedPolicyArns"]
                    assert attached == [{"Ref": "ControllerPolicy"}], attached

    def policy(self, arn: str) -> dict:
        version = self.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return self.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def documents(self) -> dict[str, dict]:
        """What the controller's role is and has, by what IAM says."""
        role = self.iam.get_role(RoleName=NAME)["Role"]
        assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/{NAME}", role["Arn"]
        return {
            "policy": self.policy(f"arn:aws:iam::{ACCOUNT}:policy/{NAME}"),
            "boundary": self.policy(BOUNDARY),
            "trust": role["AssumeRolePolicyDocument"],
        }


def lint(template: Path) -> None:
    program = Path(sys.executable).parent / "cfn-lint"
    subprocess.run([program, "--regions", REGION, "--", template], check=True)


def expected(trust: str | None) -> dict[str, dict]:
    def read(name: str) -> dict:
        return json.loads((ROOT / "deploy/iam" / f"{name}.json").read_text())

    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/kubernetes-node"}
    other = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole"]}
    return {
        "policy": read("policy"),
        "boundary": read("boundary"),
        "trust": read(trust) if trust else {"Version": "2012-10-17", "Statement": [other]},
    }


def fits_the_overlay(kubectl: str) -> None:
    """The overlay's cluster, boundary, role and ServiceAccount are those of the documents."""
    command = [kubectl, "kustomize", ROOT / "deploy/kustomize/overlays/example"]
    built = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = {one["kind"]: one for one in yaml.safe_load_all(built)}
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    variables = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    policy = {one["Sid"]: one for one in expected(None)["policy"]["Statement"]}
    demanded = policy["CreateRole"]["Condition"]["StringEquals"]
    assert demanded == {
        "aws:RequestTag/sessionmanager.dev/cluster": [variables["SMR_CLUSTER_NAME"]],
        "iam:PermissionsBoundary": [variables["SMR_PERMISSIONS_BOUNDARY_ARN"]],
    }, demanded
    account = objects["ServiceAccount"]["metadata"]
    assert pod["serviceAccountName"] == account["name"]
    assert account["annotations"]["eks.amazonaws.com/role-arn"] == f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
    who = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    assert who in json.dumps(expected("trust-irsa")["trust"]), who
    tags = expected("trust-pod-identity")["trust"]["Statement"][0]["Condition"]["StringEquals"]
    for tag, value in {"namespace": account["namespace"], "service-account": account["name"]}.items():
        assert tags[f"aws:RequestTag/kubernetes-{tag}"] == [value], tags


def main(smr: Path, endpoint: str, folder: Path, kubectl: str) -> None:
    fits_the_overlay(kubectl)
    for template in sorted((ROOT / "deploy/cloudformation").glob("*.json")):
        lint(template)
    commands = blocks()
    shutil.rmtree(folder, ignore_errors=True)
    for heading, trust in WAYS.items():
        account = Account(endpoint)
        account.run(commands[heading], smr)
        documents = account.documents()
        for name, wanted in expected(trust).items():
            assert documents[name] == wanted, f"{heading}: IAM has another {name} than deploy/iam"
        if "cloudformation" not in commands[heading]:
            attached = account.iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
            assert [one["PolicyName"] for one in attached] == [NAME], attached
        into = folder / heading.lower().replace(" ", "-")
        into.mkdir(parents=True)
        for name, document in documents.items():
            (into / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
        print(f"{PAGE.name}, {heading}: IAM has the documents of deploy/iam", file=sys.stderr)


main(Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3]), sys.argv[4])
