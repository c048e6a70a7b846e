#!/usr/bin/env bash
# Installs the released Python programs that checks use, once, into a virtual environment in a cache
# outside target/, and prints the path of one as the only line on standard output.
#
#   hack/python-tool.sh check-jsonschema|hadolint|zizmor|python
#
# 'python' is the interpreter that sees their libraries: jsonschema, cyclonedx.
#
# SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirements=$root/hack/python/requirements.txt
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
# Nothing that the caller's own Python has set may reach the tools'.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

name=${1:-}
case "$name" in
check-jsonschema | hadolint | zizmor | python) ;;
*)
    say "usage: $0 check-jsonschema|hadolint|zizmor|python"
    exit 64
    ;;
esac

dir=$(kept_as python-tools "$requirements")
# An update of Python breaks an environment.
works() { [[ -e "$dir/complete" ]] && "$dir/bin/python" -I -c '' 2>/dev/null; }
if ! works; then
    python=$(command -v python3) || fail 'Python 3.11 or later is needed: https://www.python.org/downloads/'
    say "Python tools are installed once, into $dir (less than a minute)"
    mkdir -p "$cache"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # An environment can't be moved, so it is made where it stays, by one at a time.
    (
        if command -v flock >/dev/null; then flock 9; fi
        works && exit 0
        rm -rf "$dir"
        "$python" -m venv "$dir" &&
            "$dir/bin/python" -I -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes --only-binary :all: --requirement "$requirements" &&
            "$dir/bin/python" -I -m pip check &&
            touch "$dir/complete" || { rm -rf "$dir" && exit 1; }
    ) 9>"$dir.lock" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "the Python tools could not be installed (the last lines are above)"
    }
fi
printf '%s\n' "$dir/bin/$name"
