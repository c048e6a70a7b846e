#!/usr/bin/env bash
# Changes the code that decides what is written to IAM, a spot at a time, and runs the tests of its crate on each
# change: one that no test notices fails the run. .cargo/mutants.toml says which code, and which changes no test
# can notice. Builds cargo-mutants into the cache first, where there is none.
#
#   hack/cargo-mutants.sh [OPTION OF cargo mutants]...
#
# SMR_CACHE: where the cache is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
cd "$root"

mutants=$(cargo_tool cargo-mutants 27.1.0)
"$mutants" mutants --package smr-core --no-shuffle --jobs "$(nproc)" "$@"
