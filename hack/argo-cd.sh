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

dir=$(kept_as argo-cd "$root/hack/argo-cd.sh" "$module/go.mod" "$module/go.sum" "$module/redis/main.go")
if complete "$dir" "${wanted[@]}"; then
    printf '%s\n' "$dir"
    exit 0
fi

begin_building
(cd "$module" && go mod download "$argo")
read -r source version < <(cd "$module" && go list -m -f '{{.Dir}} {{.Version}}' "$argo")
say "The real Argo CD ($version) is built once, some 6 minutes on 2 cores:"

# Its application controller serves metrics on every address, and has no flag for that. Nothing that a
# test starts may listen beyond this machine: so this one line of it differs.
cp -R "$source" "$work/source"
chmod -R u+w "$work/source"
cp "$module/go.mod" "$module/go.sum" "$work/"
controller=$work/source/controller/appcontroller.go
sed 's/"0\.0\.0\.0:%d", metricsPort/"127.0.0.1:%d", metricsPort/' "$source/controller/appcontroller.go" >"$controller"
! cmp -s "$source/controller/appcontroller.go" "$controller" ||
    fail "the application controller's metrics do not listen where those of v3.2 did"
go mod edit -replace "$argo=$work/source" "$work/go.mod"

build redis ./redis -ldflags '-s -w'
build argocd "$argo/cmd" -p 2 -modfile "$work/go.mod" -ldflags "-s -w -X $argo/common.version=${version#v}"
mkdir "$work/manifests"
cp -R "$work/source/manifests/crds" "$work/source/manifests/base/config" "$work/manifests/"
rm -r "$work/source" "$work/go.mod" "$work/go.sum"
keep "$dir" "${wanted[@]}"
