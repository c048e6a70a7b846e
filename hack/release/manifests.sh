#!/usr/bin/env bash
# Writes what a release has for the cluster: the CRDs, the policies that protect them, an
# installation without Helm, the JSON schemas, and the charts.
#
#   hack/release/manifests.sh IMAGE DIR        IMAGE such as ghcr.io/OWNER/NAME@sha256:...
#
# KUBECTL: the kubectl that renders the kustomization; default: the one on the PATH.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/release/lib.sh
source "$root/hack/release/lib.sh"
(($# == 2)) || fail "usage: $0 IMAGE DIR"
image=$1 dir=$2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
cd "$root"

kubectl=${KUBECTL:-kubectl}
"$kubectl" kustomize crds >"$dir/crds.yaml"
"$kubectl" kustomize deploy/admission >"$dir/admission.yaml"
# The name of the cluster stays empty: the controller says so and does not start until it is set.
"$kubectl" kustomize deploy/kustomize/base >"$dir/rendered"
found=$(grep -c '^ *image: ' "$dir/rendered" || :)
[[ "$found" == 1 ]] || fail "deploy/kustomize/base has $found images, and a release sets one"
sed "s|^\( *image: \).*|\1$image|" "$dir/rendered" >"$dir/install.yaml"
rm "$dir/rendered"

tar --create --format=gnu --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -C deploy/schemas . |
    gzip -n >"$dir/schemas.tar.gz"

helm=$(hack/go-tool.sh helm)
# A package has the times of the files, which are those of a checkout: the commit's instead.
charts=$(mktemp -d)
trap 'rm -rf "$charts"' EXIT
for chart in deploy/*/Chart.yaml; do
    chart=$(dirname "$chart")
    cp -R "$chart" "$charts/"
    find "$charts/${chart##*/}" -exec touch --no-dereference --date "@$epoch" {} +
    "$helm" package "$charts/${chart##*/}" --version "$version" --app-version "$version" --destination "$dir" >&2
done
