#!/usr/bin/env bash
# Tests the container image without a container engine: what is in it, that it runs as its own user on
# a read-only file system with nothing beside it, that a registry takes it and gives it back, and that
# hack/image.sh refuses what would not run.
#
#   tests/image/run.sh PROGRAM      a build of smr; a debug build will do
#
# To run the image it takes root, or sudo without a password. Without them it says what it did not check;
# where CI is set, that is a failure.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
here=$root/tests/image
program=${1:?usage: tests/image/run.sh PROGRAM}
scratch=$(mktemp -d)
registry=
clean_up() {
    [[ -z "$registry" ]] || kill "$registry" 2>/dev/null || :
    rm -rf "$scratch"
}
trap clean_up EXIT
crane=$("$root/hack/go-tool.sh" crane)

ok() { say "✓ $*"; }
# same WHAT EXPECTED FOUND
same() { [[ "$2" == "$3" ]] || fail "$1: expected
$2
found
$3"; }
# refused WORDS COMMAND...: the command fails, with these words.
refused() {
    local words=$1
    shift
    if "$@" >"$scratch/refusal" 2>&1; then fail "not refused: $*"; fi
    grep -qF -- "$words" "$scratch/refusal" || fail "$*: refused, but without the words '$words':
$(cat "$scratch/refusal")"
}
assemble() { "$root/hack/image.sh" "$@" 2>"$scratch/log" || { cat "$scratch/log" >&2; fail "hack/image.sh $*"; }; }

files() {
    assemble --strip --binary "$program" --output "$scratch/image"
    tail -n 3 "$scratch/log" >&2
    same 'files of the image' "$(cat "$here/files.txt")" "$(listing)"
    local layer
    layer=$(sed -n 's/.*"layers":\[{[^}]*"digest":"sha256:\([0-9a-f]*\)".*/\1/p' "$(manifest_of "$scratch/image")")
    same 'files of the layer' "$(listing | sed 's|^\([^ ]*\)|\1 0/0|')" \
        "$(tar --list --verbose --numeric-owner --gzip --file "$scratch/image/oci/blobs/sha256/$layer" |
            sed -E 's|^([^ ]+) +([^ ]+) +[0-9]+ [^ ]+ [^ ]+ \./(.*[^/])?/?$|\1 \2 \3|' | sort -k 3)"
    ok 'the image has the files that it should have, all owned by root, and nothing else'
}
listing() { (cd "$scratch/image/root" && find . \( -type l -printf '%M %P -> %l\n' \) -o -printf '%M %P\n' | sort -k 2); }
manifest_of() { printf '%s/oci/blobs/sha256/%s' "$1" "$(cut -d: -f2 "$1/digest")"; }

# A small program in place of smr: what is tested is how the image is made.
reproducible() {
    local once again
    assemble --binary "$(type -P true)" --output "$scratch/once"
    assemble --binary "$(type -P true)" --output "$scratch/again"
    once=$(cat "$scratch/once/digest") again=$(cat "$scratch/again/digest")
    same 'digest of a second run' "$once" "$again"
    touch "$scratch/program" && cp "$(type -P true)" "$scratch/program"
    chmod 700 "$scratch/program"
    (umask 077 && assemble --binary "$scratch/program" --output "$scratch/again")
    same 'digest with another umask, mode and time' "$once" "$(cat "$scratch/again/digest")"
    ok 'the same input gives the same bytes'
}

refusals() {
    local curl mirror=$scratch/mirror path
    curl=$(command -v curl)
    refused 'the program needs lib' "$root/hack/image.sh" --binary "$curl" --output "$scratch/no"
    refused 'is a program for amd64' "$root/hack/image.sh" --arch arm64 --binary "$curl" --output "$scratch/no"
    refused 'no Linux program for amd64 or arm64' "$root/hack/image.sh" --binary "$root/Makefile" --output "$scratch/no"
    refused 'no such file' "$root/hack/image.sh" --binary "$scratch/nothing" --output "$scratch/no"
    refused 'more than 1 MB' "$root/hack/image.sh" --max-megabytes 1 --binary "$(type -P true)" --output "$scratch/no"
    # A symbol of a glibc that nobody has yet, in a name of the same length.
    sed 's/GLIBC_2\.34/GLIBC_2.99/g' "$(type -P true)" >"$scratch/newer"
    refused 'needs glibc 2.99' "$root/hack/image.sh" --binary "$scratch/newer" --output "$scratch/no"
    refused "'make image-lock' writes the versions" \
        env SMR_CACHE="$scratch/cache" SMR_DEBIAN_MIRROR="file://$mirror" "$root/hack/image.sh" --binary "$curl" --output "$scratch/no"
    path=$(awk '$1 == "amd64" { print $5; exit }' "$root/hack/image/packages.lock")
    mkdir -p "$(dirname "$mirror/$path")"
    printf 'not a package' >"$mirror/$path"
    refused 'its SHA-256 is not' \
        env SMR_CACHE="$scratch/cache" SMR_DEBIAN_MIRROR="file://$mirror" "$root/hack/image.sh" --binary "$curl" --output "$scratch/no"
    [[ ! -e "$scratch/no" ]] || fail 'a refused image left files'
    ok 'what would not run, or is not what the lock file says, is refused in words'
}

# Each crate that left a path in the program, and each of Cargo's own list, is in the bill of materials.
materials() {
    local sbom=$scratch/image/sbom.cdx.json
    sed -n 's/^   "bom-ref": "pkg:cargo\/\([^@]*\)@\(.*\)",$/\1 \2/p' "$sbom" | sort -u >"$scratch/listed"
    (cd "$root" && "${CARGO:-cargo}" tree --locked -e normal --target x86_64-unknown-linux-gnu --prefix none --format '{p}' 2>/dev/null) |
        awk 'NF { sub(/^v/, "", $2); print $1, $2 }' | sort -u >"$scratch/tree"
    same 'crates of the bill of materials' "$(cat "$scratch/tree")" "$(cat "$scratch/listed")"
    grep -aoE '/registry/src/[^/]+/[A-Za-z0-9_-]+-[0-9]+\.[0-9]+\.[0-9][A-Za-z0-9.+-]*/' "$program" |
        sed -E 's|.*/([A-Za-z0-9_-]+)-([0-9]+\.[0-9]+\.[0-9][^/]*)/$|\1 \2|' | sort -u >"$scratch/in-program"
    (($(wc -l <"$scratch/in-program") > 20)) || fail 'the program has no paths of crates: the bill of materials could not be compared with it'
    same 'crates in the program that the bill of materials lacks' '' "$(comm -23 "$scratch/in-program" "$scratch/listed")"
    same 'packages of the bill of materials' "$(awk '$1 == "amd64" { print $2 }' "$root/hack/image/packages.lock")" \
        "$(sed -n 's/^   "bom-ref": "pkg:deb\/debian\/\([^@]*\)@.*/\1/p' "$sbom")"
    "$("$root/hack/python-tool.sh" python)" -I - "$sbom" <<'PYTHON' || fail 'the bill of materials is no valid CycloneDX'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

with open(sys.argv[1], encoding="utf-8") as file:
    sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read()))
PYTHON
    ok "the bill of materials lists all $(wc -l <"$scratch/listed") crates and the Debian packages"
}

runs() {
    local as_root=()
    if ((EUID != 0)); then
        if sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            [[ -z "${CI:-}" ]] || fail 'CI has to run the image, which takes root or sudo without a password'
            say '⚠ not checked: that the image runs, as that takes root or sudo without a password'
            return
        fi
    fi
    "${as_root[@]}" unshare --mount --propagation private "$here/inside.sh" "$scratch/image/root"
    ok 'as 65532 on a read-only file system with nothing beside it the image runs and answers /livez'
}

registry_gives_it_back() {
    local image=$scratch/image port='' address reference digest deadline=$((SECONDS + 60))
    "$crane" registry serve --address 127.0.0.1:0 >"$scratch/registry.log" 2>&1 &
    registry=$!
    until port=$(sed -n 's/.*serving on port \([0-9]*\)$/\1/p' "$scratch/registry.log") && [[ -n "$port" ]]; do
        kill -0 "$registry" 2>/dev/null && ((SECONDS < deadline)) || fail "the registry does not start: $(cat "$scratch/registry.log")"
        sleep 0.1
    done
    address=127.0.0.1:$port
    reference=$address/session-manager-role:test digest=$(cat "$image/digest")
    "$crane" push --insecure "$image/oci" "$reference" >"$scratch/pushed" 2>"$scratch/log" || fail "push: $(cat "$scratch/log")"
    same 'digest in the registry' "$digest" "$("$crane" digest --insecure "$reference")"
    "$crane" validate --insecure --remote "$reference" 2>"$scratch/log" || fail "crane validate: $(cat "$scratch/log")"
    "$crane" pull --insecure --format=oci "$address/session-manager-role@$digest" "$scratch/pulled"
    diff -r "$image/oci/blobs" "$scratch/pulled/blobs" >&2 || fail 'what was pulled is not what was pushed'
    same 'platform, user and entrypoint' 'amd64 linux 65532:65532 /smr' \
        "$("$crane" config --insecure "$reference" | python3 -c 'import json, sys
c = json.load(sys.stdin)
print(c["architecture"], c["os"], c["config"]["User"], *c["config"]["Entrypoint"])')"
    kill "$registry"
    wait "$registry" 2>/dev/null || :
    registry=
    ok 'a registry takes the image and gives back the same bytes'
}

files
materials
reproducible
refusals
runs
registry_gives_it_back
