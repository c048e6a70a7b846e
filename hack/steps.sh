#!/usr/bin/env bash
# Makes one target after the other, until one fails; prints in the end what each has taken, and adds
# that to a table that is kept:
#
#   hack/steps.sh TABLE MAKE TARGET...
#
# The table has a line for each step, with tabs between: when the run began (UTC), the commit ('+': and
# changes that are not committed), the step, its seconds, and 'ok' or 'failed'.
set -euo pipefail

table=$1 make=$2
shift 2

began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
commit=$(git describe --always --dirty=+ --match '' 2>/dev/null || echo unknown)
mkdir -p "$(dirname "$table")"

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
failed='' lines=()
for step in "$@"; do
    printf '\n=== %s (%s)\n' "$step" "$(clock $SECONDS)"
    before=$SECONDS outcome=ok
    "$make" "$step" || failed=$step outcome=failed
    took=$((SECONDS - before))
    printf '%s\t%s\t%s\t%d\t%s\n' "$began" "$commit" "$step" "$took" "$outcome" >>"$table"
    lines+=("$(printf '%-20s %6s  %s' "$step" "$(clock $took)" "$outcome")")
    [[ -z $failed ]] || break
done

printf '\n'
printf '%s\n' "${lines[@]}"
if [[ -n $failed ]]; then
    printf '\n✗ make %s failed (%s)\n' "$failed" "$(clock $SECONDS)" >&2
    exit 1
fi
printf '\n✓ all passed (%s)\n' "$(clock $SECONDS)"
