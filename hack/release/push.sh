#!/usr/bin/env bash
# Pushes image and charts of a release to a registry, and writes what was pushed, by digest. The only
# script of a release that changes something elsewhere.
#
#   hack/release/push.sh REGISTRY DIR OUTPUT
#
# DIR has what the jobs before have made: image-<arch>.tar of each architecture, and the command line's
# archives. What the release's page shows is put into DIR/release. OUTPUT gets lines NAME=VALUE: image (of
# all architectures), name and digest (the same in two parts), charts, bills (IMAGE=FILE of each
# architecture). CRANE_FLAGS, HELM_FLAGS: such as --insecure and --plain-http for a registry of a test.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/release/lib.sh
source "$root/hack/release/lib.sh"
(($# == 3)) || fail "usage: $0 REGISTRY DIR OUTPUT"
registry=$1 dir=$2 output=$3
read -ra crane_flags <<<"${CRANE_FLAGS:-}"
read -ra helm_flags <<<"${HELM_FLAGS:-}"
crane() { "$crane" "$@" "${crane_flags[@]}"; }
crane=$("$root/hack/go-tool.sh" crane)
helm=$("$root/hack/go-tool.sh" helm)
name=$registry/session-manager-role

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir/release"

images=() bills=()
for arch in amd64 arm64; do
    [[ -e "$dir/image-$arch.tar" ]] || fail "$dir has no image-$arch.tar: a release has both architectures"
    mkdir "$work/$arch"
    tar --extract --file "$dir/image-$arch.tar" -C "$work/$arch"
    crane push "$work/$arch/oci" "$name:$version-$arch" >/dev/null
    digest=$(crane digest "$name:$version-$arch")
    [[ "$digest" == "$(cat "$work/$arch/digest")" ]] || fail "the registry has another digest of $arch than was built: $digest"
    bill=$dir/release/sbom_${version}_linux_$arch.cdx.json
    cp "$work/$arch/sbom.cdx.json" "$bill"
    images+=("$name@$digest") bills+=("$name@$digest=$bill")
done
crane index append --manifest "${images[0]}" --manifest "${images[1]}" --tag "$name:$version" >/dev/null
digest=$(crane digest "$name:$version")

"$root/hack/release/manifests.sh" "$name:$version@$digest" "$dir/release"
charts=()
for chart in "$dir"/release/*-"$version".tgz; do
    [[ -e "$chart" ]] || continue
    pushed=$("$helm" push "$chart" "oci://$registry/charts" "${helm_flags[@]}" 2>&1 | tee /dev/stderr | sed -n 's/^Digest: *//p')
    [[ "$pushed" == sha256:* ]] || fail "helm push of $chart gave no digest"
    base=$(basename "$chart" "-$version.tgz")
    charts+=("$registry/charts/$base@$pushed")
done
mv "$dir"/smr_"$version"_* "$dir/release/"

{
    printf 'name=%s\ndigest=%s\nimage=%s@%s\n' "$name" "$digest" "$name" "$digest"
    printf 'charts=%s\n' "${charts[*]:-}"
    printf 'bills=%s\n' "${bills[*]}"
} >>"$output"
