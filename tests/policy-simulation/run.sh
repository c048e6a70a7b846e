#!/usr/bin/env bash
# Judges what `smr controller-policy` prints with an evaluator that is not ours: the npm package
# @cloud-copilot/iam-simulate (AGPL: an outside tool, pinned here, never linked or shipped). The
# emulator's own evaluator is asked the same and has to agree.
#
#   run.sh SMR CALLS.jsonl IAM-EMULATOR    the programs, and the calls recorded by IAM_EMULATOR_RECORD
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
smr=$(realpath "$1")
calls=$(realpath "$2")
emulator=$(realpath "$3")
command -v node >/dev/null && command -v npm >/dev/null || {
    echo '✗ the policy simulation needs Node.js 20 or newer, with npm' >&2
    exit 1
}

# Installed once for each lock file, outside the source tree.
lock=$(cksum "$here/package-lock.json" | cut -d" " -f1)
tool=${SMR_CACHE:-$HOME/.cache/session-manager-role}/policy-simulation-$lock
if [[ ! -f $tool/complete ]]; then
    mkdir -p "$tool"
    cp "$here/package.json" "$here/package-lock.json" "$tool/"
    (cd "$tool" && npm ci --ignore-scripts --no-audit --no-fund >&2)
    touch "$tool/complete"
fi
# Node.js looks for the package beside the scripts. A run of another checkout may go on at the same time.
scripts=$(mktemp -d "$tool/run.XXXXXX")
trap 'rm -rf "$scripts"' EXIT
cp -r "$here"/*.mjs "$here/attacks" "$scripts/"
SMR_EXAMPLE_POLICY=$(realpath "$here/../../deploy/iam/policy.json")
export SMR_EXAMPLE_POLICY
status=0
node "$scripts/simulate.mjs" "$calls" "$smr" "$emulator" || status=1
node "$scripts/boundary.mjs" "$smr" "$emulator" || status=1
exit "$status"
