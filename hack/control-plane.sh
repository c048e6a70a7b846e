#!/usr/bin/env bash
# Builds the real etcd, kube-apiserver and kubectl once, into a cache outside target/, and prints
# the directory as the only line on standard output; progress goes to standard error.
#
#   hack/control-plane.sh        what the demo and the tests need
#   hack/control-plane.sh kcm    kube-controller-manager too, for the tests that delete namespaces or
#                                wait for what foreground deletion leaves to the garbage collector
#
# KUBEBUILDER_ASSETS, where set, is used instead. SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
module=$root/tests/control-plane
kubernetes=1.37.0
binaries=(etcd kube-apiserver kubectl)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
case "${1:-}" in
'') ;;
kcm) binaries+=(kube-controller-manager) ;;
*)
    printf 'usage: %s [kcm]\n' "$0" >&2
    exit 64
    ;;
esac

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
    if complete "$KUBEBUILDER_ASSETS" "${binaries[@]}"; then
        say "The control plane of KUBEBUILDER_ASSETS is used: $KUBEBUILDER_ASSETS"
        printf '%s\n' "$KUBEBUILDER_ASSETS"
        exit 0
    fi
    [[ "${1:-}" == kcm ]] || fail "KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS) lacks one of ${binaries[*]}: unset it to have them built"
    say "KUBEBUILDER_ASSETS has no kube-controller-manager: a control plane is built instead"
fi

dir=$(kept_as control-plane "$module/go.mod" "$module/go.sum")
if complete "$dir" "${binaries[@]}"; then
    printf '%s\n' "$dir"
    exit 0
fi

package_of() {
    case "$1" in
    etcd) printf 'go.etcd.io/etcd/server/v3' ;;
    *) printf 'k8s.io/kubernetes/cmd/%s' "$1" ;;
    esac
}
version=k8s.io/component-base/version
flags=(-ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=37")

begin_building
say "The real control plane (Kubernetes $kubernetes) is built once, some 6 minutes on 2 cores:"
for name in "${binaries[@]}"; do
    [[ -e "$dir/$name" ]] || build "$name" "$(package_of "$name")" "${flags[@]}"
done
keep "$dir" "${binaries[@]}"
