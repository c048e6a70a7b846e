# shellcheck shell=bash
# What the scripts of a release share. To be sourced, with the checkout in $root.

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "✗ $*"
    exit 1
}

python=$(command -v python3 || command -v python) || fail 'Python 3.11 or later is needed: https://www.python.org/downloads/'
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
# All files of a release have the time of its commit; helm and cosign know this variable too.
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH=$epoch
