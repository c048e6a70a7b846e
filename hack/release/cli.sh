#!/usr/bin/env bash
# Puts a released program into the archive that people download, and prints the archive's path.
#
#   hack/release/cli.sh PROGRAM TARGET DIR       TARGET such as aarch64-apple-darwin
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/release/lib.sh
source "$root/hack/release/lib.sh"
(($# == 3)) || fail "usage: $0 PROGRAM TARGET DIR"
program=$1 target=$2 dir=$3

case "$target" in
x86_64-*) arch=amd64 ;;
aarch64-*) arch=arm64 ;;
*) fail "$target: the command line is released for x86_64 and aarch64" ;;
esac
case "$target" in
*-linux-gnu) name=linux_$arch.tar.gz ;;
*-apple-darwin) name=darwin_$arch.tar.gz ;;
*-pc-windows-msvc) name=windows_$arch.zip ;;
*) fail "$target: the command line is released for Linux with glibc, macOS and Windows" ;;
esac

mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$root/hack/image/materials.py" --target "$target" --epoch "$epoch" \
    --sbom "$work/sbom.cdx.json" --licenses "$work/third-party-licenses.txt"
archive=$dir/smr_${version}_$name
"$python" "$root/hack/release/archive.py" --output "$archive" --epoch "$epoch" \
    "$program" "$root/LICENSE" "$work/sbom.cdx.json" "$work/third-party-licenses.txt"
printf '%s\n' "$archive"
