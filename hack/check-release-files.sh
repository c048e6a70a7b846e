#!/usr/bin/env bash
# Checks what only a release runs: the workflows, the Dockerfile and the changelog. Some seconds; no build.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
cd "$root"

actionlint=$(hack/go-tool.sh actionlint)
"$actionlint" .github/workflows/*.yaml
# Offline: whether a hash is the one of its tag can't be checked then.
zizmor=$(hack/python-tool.sh zizmor)
"$zizmor" --offline --quiet --persona pedantic --strict-collection .github
hadolint=$(hack/python-tool.sh hadolint)
"$hadolint" Dockerfile
hack/release/changelog.py lint

# Every action by the hash of a commit, with its version beside it.
if grep -nE '^ *(- )?uses: ' .github/workflows/*.yaml | grep -vE 'uses: [^@]+@[0-9a-f]{40} # v[0-9]'; then
    fail 'these actions are not pinned by the hash of a commit, with the version in a comment'
fi
# One version of Rust.
versions=$({
    sed -n 's/^ *RUST: //p; s/.*rustup default \([0-9.]*\)$/\1/p' .github/workflows/*.yaml
    sed -n 's/^ARG RUST=.*rust:\([0-9.]*\)-.*/\1/p' Dockerfile
} | sort -u)
[[ "$versions" =~ ^[0-9.]+$ ]] || fail "the workflows and the Dockerfile have several versions of Rust: ${versions//$'\n'/, }"
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[[ "$(printf '%s\n' "$oldest" "$versions" | sort -V | tail -n 1)" == "$versions" ]] || fail "Rust $versions is older than Cargo.toml's rust-version $oldest"

# The Dockerfile's build gets all that the build reads.
for path in Cargo.lock Cargo.toml LICENSE build.rs crates hack src; do
    grep -qx "!$path" .dockerignore || fail ".dockerignore leaves out $path, which the build needs"
done
say '✓ workflows, Dockerfile and changelog'
