#!/usr/bin/env bash
# Builds the real Argo CD (its one binary) and a little Redis for it once, into a cache outside
# target/, with Argo CD's own manifests beside them, and prints the directory as the only line on
# standard output; progress goes to standard error.
#
# SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
module=$root/tests/argo-cd
argo=github.com/argoproj/argo-cd/v3
wanted=(argocd redis manifests)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"

dir=$(kept_as argo-cd "$module/go.mod" "$module/go.sum" "$module/redis/main.go" "$root/hack/argo-cd.sh")
if complete "$dir" "${wanted[@]}"; then
    printf '%s\n' "$dir"
    exit 0
fi

begin_building
read -r source version < <(cd "$module" && go list -m -f '{{.Dir}} {{.Version}}' "$argo")
[[ -d "$source" ]] || {
    (cd "$module" && go mod download "$argo")
    read -r source version < <(cd "$module" && go list -m -f '{{.Dir}} {{.Version}}' "$argo")
}
say "The real Argo CD ($version) is built once, some 6 minutes on 2 cores:"

# Its application controller serves metrics on every address, and has no flag for that. Nothing that a
# test starts may listen beyond this machine.
mkdir "$work/overlay"
sed 's/"0\.0\.0\.0:%d", metricsPort/"127.0.0.1:%d", metricsPort/' \
    "$source/controller/appcontroller.go" >"$work/overlay/appcontroller.go"
! cmp -s "$source/controller/appcontroller.go" "$work/overlay/appcontroller.go" ||
    fail "the address of the application controller's metrics is not where it was in v3.2"
printf '{"Replace": {"%s": "%s"}}\n' \
    "$source/controller/appcontroller.go" "$work/overlay/appcontroller.go" >"$work/overlay/overlay.json"

build redis ./redis -ldflags '-s -w'
build argocd "$argo/cmd" -p 2 -overlay "$work/overlay/overlay.json" -ldflags "-s -w -X $argo/common.version=${version#v}"
rm -r "$work/overlay"
mkdir "$work/manifests"
cp -R "$source/manifests/crds" "$source/manifests/base/config" "$work/manifests/"
chmod -R u+w "$work/manifests"
keep "$dir" "${wanted[@]}"
