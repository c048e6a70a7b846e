#!/usr/bin/env bash
# Judges what `smr controller-policy` prints with an evaluator that is not ours: the npm package
# @cloud-copilot/iam-simulate (AGPL: an outside tool, pinned here, never linked or shipped).
#
#   run.sh SMR CALLS.jsonl    the program, and the calls recorded by IAM_EMULATOR_RECORD
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
smr=$(realpath "$1")
calls=$(realpath "$2")
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
cp "$here/simulate.mjs" "$here/attacks.json" "$tool/"
SMR_EXAMPLE_POLICY=$(realpath "$here/../../deploy/iam/policy.json")
export SMR_EXAMPLE_POLICY
exec node "$tool/simulate.mjs" "$calls" "$smr"
