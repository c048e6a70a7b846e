#!/usr/bin/env bash
# Writes argocd-cm.yaml and helm-values.yaml of the Lua scripts in resource_customizations/; a test
# in tests/argo-cd fails when they are stale.
#
#   deploy/argocd/generate.sh [DIRECTORY]    default: beside this script
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
to=${1:-$here}
scripts=$here/resource_customizations/sessionmanager.dev/SessionManagerRole

# A file's lines, so many spaces to the right; empty lines stay empty.
indented() {
    local spaces
    printf -v spaces '%*s' "$1" ''
    sed "s/^./$spaces&/" "$2"
}

# The two entries of argocd-cm, so many spaces to the right.
entries() {
    local left=$1 spaces action
    printf -v spaces '%*s' "$left" ''
    echo "${spaces}resource.customizations.health.sessionmanager.dev_SessionManagerRole: |"
    indented $((left + 2)) "$scripts/health.lua"
    echo "${spaces}resource.customizations.actions.sessionmanager.dev_SessionManagerRole: |"
    echo "${spaces}  discovery.lua: |"
    indented $((left + 4)) "$scripts/actions/discovery.lua"
    echo "${spaces}  definitions:"
    for action in reconcile-now pause resume; do
        echo "${spaces}  - name: $action"
        echo "${spaces}    action.lua: |"
        indented $((left + 6)) "$scripts/actions/$action/action.lua"
    done
}

{
    cat <<'HEAD'
# Health and actions of SessionManagerRoles for Argo CD, to be merged into its ConfigMap (README.md).
# Written by generate.sh of the scripts in resource_customizations/: change those.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
HEAD
    entries 2
} >"$to/argocd-cm.yaml"

{
    cat <<'HEAD'
# Health and actions of SessionManagerRoles for Argo CD: values of the Helm chart argo-cd (README.md).
# Written by generate.sh of the scripts in resource_customizations/: change those.
configs:
  cm:
HEAD
    entries 4
} >"$to/helm-values.yaml"
