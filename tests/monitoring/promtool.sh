#!/usr/bin/env bash
# Has Prometheus' own tool judge the alerts, their unit tests, and scraped pages of metrics.
#
#   tests/monitoring/promtool.sh [PAGE]...     pages as /metrics gives them
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
promtool=$("$root/hack/go-tool.sh" promtool)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What Prometheus reads is the spec of the operator's object.
sed -n '/^spec:$/,$ { /^spec:$/d; s/^  //; p; }' "$root/deploy/monitoring/prometheus-rules.yaml" >"$work/rules.yaml"
cp "$root/tests/monitoring/alerts.yaml" "$work/alerts.yaml"

"$promtool" check rules --lint=all --lint-fatal "$work/rules.yaml"
"$promtool" test rules "$work/alerts.yaml"
for page in "$@"; do
    "$promtool" check metrics <"$page"
    printf '✓ %s: %s metrics\n' "$page" "$(grep -c '^# TYPE' "$page")"
done
