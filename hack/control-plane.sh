#!/usr/bin/env bash
# Builds the real etcd, kube-apiserver and kubectl once, into a cache outside target/, and prints
# the directory as the only line on standard output; progress goes to standard error.
#
#   hack/control-plane.sh        what the demo and the tests need
#   hack/control-plane.sh kcm    kube-controller-manager too, for the test that deletes a namespace
#
# KUBEBUILDER_ASSETS, where set, is used instead. SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
module=$root/tests/control-plane
kubernetes=1.37.0
binaries=(etcd kube-apiserver kubectl)
case "${1:-}" in
'') ;;
kcm) binaries+=(kube-controller-manager) ;;
*)
    printf 'usage: %s [kcm]\n' "$0" >&2
    exit 64
    ;;
esac

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "✗ $*"
    exit 1
}

# Whether a directory has all binaries.
complete() {
    local name
    for name in "${binaries[@]}"; do
        [[ -x "$1/$name" ]] || return 1
    done
}

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
    if complete "$KUBEBUILDER_ASSETS"; then
        say "The control plane of KUBEBUILDER_ASSETS is used: $KUBEBUILDER_ASSETS"
        printf '%s\n' "$KUBEBUILDER_ASSETS"
        exit 0
    fi
    [[ "${1:-}" == kcm ]] || fail "KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS) lacks one of ${binaries[*]}: unset it to have them built"
    say "KUBEBUILDER_ASSETS has no kube-controller-manager: a control plane is built instead"
fi

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}
hash=$(cat "$module/go.mod" "$module/go.sum" | sha256)
cache=${SMR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/session-manager-role}
dir=$cache/control-plane-${hash:0:12}

if complete "$dir"; then
    printf '%s\n' "$dir"
    exit 0
fi
command -v go >/dev/null || fail 'Go (1.26 or later) is needed to build the control plane: https://go.dev/dl/'

elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

package_of() {
    case "$1" in
    etcd) printf 'go.etcd.io/etcd/server/v3' ;;
    *) printf 'k8s.io/kubernetes/cmd/%s' "$1" ;;
    esac
}

mkdir -p "$cache"
work=$(mktemp -d "$cache/building.XXXXXX")
compiler=
clean_up() {
    if [[ -n "$compiler" ]]; then
        kill "$compiler" 2>/dev/null || :
        wait "$compiler" 2>/dev/null || :
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Builds one of them into $work, with a line now and then: nothing seems to hang.
build() {
    local name=$1 log=$work/$1.log step=0 last
    say "  $(elapsed)  $name: building"
    (
        cd "$module"
        exec go build -v -o "$work/$name" -ldflags "-s -w \
-X k8s.io/component-base/version.gitVersion=v$kubernetes \
-X k8s.io/component-base/version.gitMajor=1 \
-X k8s.io/component-base/version.gitMinor=37" "$(package_of "$name")"
    ) >"$log" 2>&1 &
    compiler=$!
    while kill -0 "$compiler" 2>/dev/null; do
        sleep 1
        step=$((step + 1))
        if ((step % 10 == 0)); then
            last=$(tail -n 1 "$log" | cut -c1-80)
            say "  $(elapsed)  $name: $(grep -vc '^go: ' "$log" || :) packages compiled, ${last:-linking}"
        fi
    done
    local code=0
    wait "$compiler" || code=$?
    compiler=
    if ((code != 0)); then
        tail -n 30 "$log" >&2
        fail "$name could not be built ('go build' ended with $code; its last lines are above)"
    fi
    rm -f "$log"
    say "  $(elapsed)  $name: done"
}

say "The real control plane (Kubernetes $kubernetes) is built once, some 6 minutes on 2 cores:"
for name in "${binaries[@]}"; do
    [[ -x "$dir/$name" ]] || build "$name"
done

# Someone else may have been faster; whole files only, and the directory at once, when it is new.
if [[ ! -e "$dir" ]]; then
    chmod 755 "$work"
    mv "$work" "$dir"
else
    for name in "${binaries[@]}"; do
        [[ ! -x "$work/$name" ]] || mv -f "$work/$name" "$dir/$name"
    done
fi
complete "$dir" || fail "$dir is not complete: remove it and run again"
say "  $(elapsed)  kept in $dir"
printf '%s\n' "$dir"
