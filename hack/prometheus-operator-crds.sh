#!/usr/bin/env bash
# Prints the directory with the CRDs of the Prometheus operator, which the chart's monitoring objects are of. Go
# downloads them with the operator's own module, once, and checks them.
set -euo pipefail

module=github.com/prometheus-operator/prometheus-operator
version=v0.85.0
sum=h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
command -v go >/dev/null || fail 'Go (1.26 or later) is needed: https://go.dev/dl/'
answer=$(cd / && go mod download -json "$module@$version") || fail "$module could not be downloaded"
field() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" <<<"$answer"; }
[[ "$(field Sum)" == "$sum" ]] || fail "$module@$version has the hash $(field Sum); $0 expects $sum"
printf '%s\n' "$(field Dir)/example/prometheus-operator-crd"
