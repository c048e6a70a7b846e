#!/usr/bin/env bash
# Builds the program as it is released, and prints the path of the binary as the only line on standard
# output. The same commit gives the same bytes in any directory: no path of the machine stays in them.
#
#   hack/build-release.sh [TARGET]      such as aarch64-unknown-linux-gnu; default: this machine's
#
# CARGO_TARGET_DIR: where Cargo builds. SMR_COMMIT: the commit that the program says it is of.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:-}
build=${CARGO_TARGET_DIR:-$root/target}
cargo_home=${CARGO_HOME:-$HOME/.cargo}

# Separated by 0x1f, as the paths may have spaces.
separator=$'\x1f'
CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo${separator}--remap-path-prefix=$build=/target${separator}--remap-path-prefix=$root=/smr"
map="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$build=/target -ffile-prefix-map=$root=/smr"
export CARGO_ENCODED_RUSTFLAGS CFLAGS="${CFLAGS:-} $map" CXXFLAGS="${CXXFLAGS:-} $map"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
# The metric smr_build_info names the commit; empty where nothing of Git is there.
SMR_COMMIT=${SMR_COMMIT-$(git -C "$root" describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || :)}
export SMR_COMMIT

arguments=(--manifest-path "$root/Cargo.toml" --locked --release --bin smr)
[[ -z "$target" ]] || arguments+=(--target "$target")
"${CARGO:-cargo}" build "${arguments[@]}" >&2

extension=
[[ "$target" != *windows* ]] || extension=.exe
printf '%s\n' "$build/${target:+$target/}release/smr$extension"
