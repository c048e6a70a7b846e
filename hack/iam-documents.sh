#!/usr/bin/env bash
# Writes the controller's IAM documents, for the account, cluster and names of the examples, into a
# directory: 'make generate' into deploy/iam, 'make generated' somewhere else to compare.
#
#   hack/iam-documents.sh DIRECTORY SMR...    the program, perhaps with words before it
set -euo pipefail

directory=$1
shift
smr=("$@")
mkdir -p "$directory"

write() {
    local file=$1
    shift
    "${smr[@]}" controller-policy --account-id 111122223333 --cluster-name production "$@" \
        >"$directory/$file.json.new" 2>/dev/null
    mv "$directory/$file.json.new" "$directory/$file.json"
}

write policy --permissions-boundary-arn arn:aws:iam::111122223333:policy/session-manager-boundary
write policy-without-boundary --without-boundary
write policy-read-only --read-only
write boundary --document boundary
write trust-pod-identity --document trust --eks-cluster production
write trust-irsa --document trust --oidc-provider oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE
write scp --document scp
