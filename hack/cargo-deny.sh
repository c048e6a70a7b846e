#!/usr/bin/env bash
# Checks the dependencies: licences, sources, bans, and RustSec's advisories where their database can
# be had. Says in a line what was not checked, and why; lack of the tool or of a network is no failure.
#
#   hack/cargo-deny.sh          with the cargo-deny on the PATH, or the one in the cache
#   hack/cargo-deny.sh build    builds it into the cache first, where there is none
#
# SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=0.20.2
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
cd "$root"

kept=$cache/cargo-deny-$version
deny=$(command -v cargo-deny || :)
[[ -n "$deny" || ! -x "$kept/bin/cargo-deny" ]] || deny=$kept/bin/cargo-deny

if [[ -z "$deny" ]]; then
    if [[ "${1:-}" != build ]]; then
        say "⚠ not checked: licences, sources and advisories of the dependencies, as cargo-deny is not installed. 'make check-release' builds it and checks them"
        exit 0
    fi
    say "cargo-deny $version is built once, which takes minutes:"
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # Elsewhere, as the checkout's settings are for its own programs.
    (cd "$work" && cargo install --locked --version "$version" --root "$work/kept" --target-dir "$work/target" cargo-deny) ||
        fail "cargo-deny could not be built"
    mkdir -p "$kept"
    mv "$work/kept/bin" "$kept/"
    deny=$kept/bin/cargo-deny
fi

# cargo-deny reads the crates of every platform; a build has fetched those of this one.
"${CARGO:-cargo}" fetch --locked --quiet || fail "the dependencies of all platforms could not be fetched"
"$deny" --offline check bans licenses sources

# Where the database can't be fetched, one of before is better than none. cargo-deny takes none that is
# older than 90 days.
databases=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs
if "$deny" fetch db >/dev/null 2>&1; then
    "$deny" check advisories
elif [[ -n "$(find "$databases" -path '*/.git/FETCH_HEAD' -mtime -90 2>/dev/null)" ]]; then
    say "⚠ advisories are checked by an older database, as https://github.com/rustsec/advisory-db can't be reached"
    "$deny" --offline check advisories
else
    say "⚠ not checked: advisories, as https://github.com/rustsec/advisory-db can't be reached"
fi
