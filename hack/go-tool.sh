#!/usr/bin/env bash
# Builds one of the released Go programs that checks use, once, into a cache outside target/, and
# prints its path as the only line on standard output; progress goes to standard error.
#
#   hack/go-tool.sh helm
#
# SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"

# Each program: its name, its module, its package below the module, its version, and the hash of the
# module as go.sum files have it. Go checks the dependencies against its checksum database.
table='
actionlint   github.com/rhysd/actionlint               cmd/actionlint   v1.7.12  h1:vQ4GeJN86C0QH+gTUQcs8McmK62OLT3kmakPMtEWYnY=
crane        github.com/google/go-containerregistry    cmd/crane        v0.22.1  h1:RZuuSYhTvlDvtsK+NkutoCZ//C0X2ebLK8X8l3ULs84=
helm         helm.sh/helm/v4                           cmd/helm         v4.3.1   h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g=
kubeconform  github.com/yannh/kubeconform              cmd/kubeconform  v0.8.0   h1:loDYd3a3spjIFrauqW67CDKF55Oo9R6uvC8AvpVd4ug=
promtool     github.com/prometheus/prometheus          cmd/promtool     v0.316.0 h1:f1GRFerhTMKQma+awCoC9T820ecWeGSdF+xAlMHzZzM=
'

name=${1:-}
row=$(awk -v name="$name" 'NF && $1 == name' <<<"$table")
if [[ $# != 1 || -z "$row" ]]; then
    say "usage: $0 $(awk 'NF { printf "%s%s", separator, $1; separator = "|" }' <<<"$table")"
    exit 64
fi
read -r _ module package version sum <<<"$row"

dir=$cache/go-tool-$name-$version
if ! complete "$dir" "$name"; then
    begin_building
    say "$name $version is built once, at most 3 minutes on 2 cores:"
    found=$(go mod download -json "$module@$version" | sed -n 's/^[[:space:]]*"Sum": "\(.*\)",\{0,1\}$/\1/p')
    [[ "$found" == "$sum" ]] ||
        fail "$module@$version has the hash ${found:-(none: it could not be downloaded)}; $0 expects $sum"
    install_program "$name" "$module/$package@$version"
    keep "$dir" "$name" >/dev/null
fi
printf '%s\n' "$dir/$name"
