#!/usr/bin/env bash
# Runs a command with moto beside it, a pinned IAM that is not ours, and ends with its exit status:
#
#   tests/moto/run.sh cargo test --workspace --test conformance
#
# The command finds moto at CONFORMANCE_ENDPOINT and SMR_MOTO_ENDPOINT, a free port on 127.0.0.1, its
# Python at SMR_MOTO_PYTHON, and what moto is known to get wrong in the file that CONFORMANCE_DEVIATIONS
# names. moto's virtual
# environment is made once, in a cache (SMR_CACHE: where that is); moto itself is new for each run
# and ends with it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/requirements.txt
# Nothing that the caller's own Python has set may reach moto's.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "✗ $*"
    exit 1
}

(($# > 0)) || {
    say "usage: $0 COMMAND [ARGUMENT...]"
    exit 64
}
python=$(command -v python3) || fail 'Python 3.11 or later is needed to run moto: https://www.python.org/downloads/'
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or later is needed to run moto; $python is $("$python" -V)"

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}
hash=$(sha256 <"$requirements")
cache=${SMR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/session-manager-role}
# A virtual environment can't be moved: each is made in a place of its own, where it stays, and this
# link leads to one that is complete. Whoever makes the link first wins, so nobody waits for a lock
# that someone who was killed has left behind.
link=$cache/moto-${hash:0:12}

scratch=$(mktemp -d)
building='' moto='' command=''
# Ends a job and waits until it is gone. With 'set -m' each job is a process group of its own, so
# that what the job has started ends too.
stop() {
    [[ -n "$1" ]] || return 0
    kill -TERM -- "-$1" 2>/dev/null || :
    wait "$1" 2>/dev/null || :
}
clean_up() {
    trap '' INT TERM HUP
    stop "$command"
    stop "$moto"
    rm -rf "$scratch" ${building:+"$building"}
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
set -m

# Whether what the link leads to still works: an update of Python breaks it.
works() { [[ -e "$link/complete" ]] && "$link/bin/python" -I -c 'import moto.server, flask_cors' 2>/dev/null; }

# Runs a step of making the environment; its output only where it fails.
step() {
    "$@" >"$scratch/log" 2>&1 </dev/null &
    command=$!
    local code=0
    wait "$command" || code=$?
    command=
    ((code == 0)) || {
        tail -n 30 "$scratch/log" >&2
        fail "moto's virtual environment could not be made ('$*' ended with $code; its last lines are above)"
    }
}

make_environment() {
    say "moto is installed once, into $cache (a minute or two)"
    mkdir -p "$cache"
    building=$(mktemp -d "$link.XXXXXX")
    step "$python" -m venv "$building"
    # Nothing but what is listed, and the list has to be enough.
    step "$building/bin/python" -I -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes --requirement "$requirements"
    step "$building/bin/python" -I -m pip check
    touch "$building/complete"
    if ! ln -sn "$(basename "$building")" "$link" 2>/dev/null; then
        if works; then
            # Someone else was faster.
            rm -rf "$building"
        else
            rm -rf "$(readlink -f "$link")" "$link"
            ln -sn "$(basename "$building")" "$link"
        fi
    fi
    building=
}
works || make_environment
# The place itself, which stays the same if another run puts a new one behind the link.
environment=$(cd "$link" && pwd -P)

# Port 0: the kernel gives a free one, and moto says which.
MOTO_IAM_LOAD_MANAGED_POLICIES=true "$environment/bin/python" -I "$environment/bin/moto_server" -H 127.0.0.1 -p 0 \
    >"$scratch/moto.log" 2>&1 </dev/null &
moto=$!
endpoint=
deadline=$((SECONDS + 60))
until endpoint=$(grep -om1 'http://127\.0\.0\.1:[0-9]*' "$scratch/moto.log"); do
    if ! kill -0 "$moto" 2>/dev/null || ((SECONDS >= deadline)); then
        cat "$scratch/moto.log" >&2
        fail 'moto does not start (its output is above)'
    fi
    sleep 0.1
done
# It loads IAM at the first request, which takes a second.
"$environment/bin/python" -I -c '
import http.client, sys
moto = http.client.HTTPConnection(sys.argv[1], timeout=60)
scope = "AWS4-HMAC-SHA256 Credential=anyone/20000101/us-east-1/iam/aws4_request"
moto.request("POST", "/", "Action=ListRoles&Version=2010-05-08", {"Authorization": scope})
answer = moto.getresponse().read()
sys.exit(0 if b"ListRolesResponse" in answer else f"moto answers {answer}")
' "${endpoint#http://}" || fail "moto does not answer at $endpoint"
say "moto $("$environment/bin/python" -I -c 'from importlib.metadata import version; print(version("moto"))') answers at $endpoint"

export CONFORMANCE_ENDPOINT=$endpoint CONFORMANCE_DEVIATIONS=$here/deviations.yaml SMR_MOTO_ENDPOINT=$endpoint SMR_MOTO_PYTHON=$environment/bin/python
"$@" </dev/null &
command=$!
code=0
wait "$command" || code=$?
command=
if ! kill -0 "$moto" 2>/dev/null; then
    tail -n 30 "$scratch/moto.log" >&2
    moto=
    fail 'moto has ended before the command did (its last lines are above)'
fi
exit "$code"
