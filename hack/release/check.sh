#!/usr/bin/env bash
# Makes all of a release but what needs other machines or a registry of others, twice, and compares: the
# program (built twice, in different directories), image, archive of the command line, manifests, schemas
# and charts. Then pushes it to a registry on a loopback port. 'make check-release' runs it.
#
# SMR_RELEASE_PROGRAM: a program that hack/build-release.sh has built; it is used in place of both builds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/release/lib.sh
source "$root/hack/release/lib.sh"
cd "$root"
target=$(rustc -vV | sed -n 's/^host: //p')
out=$root/target/check-release
rm -rf "$out"
mkdir -p "$out"
registry=
clean_up() {
    [[ -z "$registry" ]] || kill "$registry" 2>/dev/null || :
}
trap clean_up EXIT
KUBECTL=${KUBECTL:-$(hack/control-plane.sh)/kubectl}
export KUBECTL

make_once() {
    local dir=$1 program=${SMR_RELEASE_PROGRAM:-}
    if [[ -z "$program" ]]; then
        program=$(CARGO_TARGET_DIR=$root/target/release-$2 hack/build-release.sh)
    fi
    mkdir -p "$dir"
    sha256sum <"$program" >"$dir/program.sha256"
    hack/image.sh --binary "$program" --output "$dir/image" --max-megabytes 40
    hack/release/cli.sh "$program" "$target" "$dir/files"
    hack/release/manifests.sh "ghcr.io/session-manager-role/session-manager-role:$version" "$dir/files"
}
list() { (cd "$1" && find . -type f -not -path './image/root/*' -exec sha256sum {} + | sort -k 2); }

make_once "$out/once" once
# Another directory, and other times of all files.
make_once "$out/again" again
diff <(list "$out/once") <(list "$out/again") >&2 || fail 'a second run makes other bytes (above)'
list "$out/once"
say '✓ two runs make the same bytes'

# What push.sh gets from the jobs of the workflow; the second architecture is the first one again.
mkdir -p "$out/dist"
cp "$out"/once/files/smr_* "$out/dist/"
for arch in amd64 arm64; do
    tar --create --file "$out/dist/image-$arch.tar" -C "$out/once/image" oci digest sbom.cdx.json
done
crane=$(hack/go-tool.sh crane)
"$crane" registry serve --address 127.0.0.1:0 >"$out/registry.log" 2>&1 &
registry=$!
deadline=$((SECONDS + 60))
until port=$(sed -n 's/.*serving on port \([0-9]*\)$/\1/p' "$out/registry.log") && [[ -n "$port" ]]; do
    kill -0 "$registry" 2>/dev/null && ((SECONDS < deadline)) || fail "the registry does not start: $(cat "$out/registry.log")"
    sleep 0.1
done
CRANE_FLAGS=--insecure HELM_FLAGS=--plain-http hack/release/push.sh "127.0.0.1:$port/owner" "$out/dist" "$out/pushed"
image=$(sed -n 's/^image=//p' "$out/pushed")
"$crane" validate --insecure --remote "$image" >&2
grep -qF "$image" <(sed "s|:$version@|@|" "$out/dist/release/install.yaml") || fail 'install.yaml has another image than was pushed'
for chart in $(sed -n 's/^charts=//p' "$out/pushed"); do
    "$crane" manifest --insecure "$chart" >/dev/null
done
say "✓ a registry has $(sed -n 's/^image=//p; s/^charts=//p' "$out/pushed" | tr '\n' ' ')"
