#!/usr/bin/env bash
# Writes the controller's IAM documents and CloudFormation templates, for the account, cluster and names
# of the examples, into the folders iam and cloudformation of a directory: 'make generate' into deploy,
# 'make generated' somewhere else to compare.
#
#   hack/iam-documents.sh DIRECTORY SMR...    the program, perhaps with words before it
set -euo pipefail

directory=$1
shift
smr=("$@")
mkdir -p "$directory/iam" "$directory/cloudformation"

write() {
    local file=$1
    shift
    "${smr[@]}" controller-policy --account-id 111122223333 --cluster-name production "$@" \
        >"$directory/$file.json.new" 2>/dev/null
    mv "$directory/$file.json.new" "$directory/$file.json"
}

boundary=arn:aws:iam::111122223333:policy/session-manager-boundary
oidc=oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE

write iam/policy --permissions-boundary-arn $boundary
write iam/policy-without-boundary --without-boundary
write iam/policy-read-only --read-only
write iam/boundary --document boundary
write iam/trust-pod-identity --document trust --eks-cluster production
write iam/trust-irsa --document trust --oidc-provider $oidc
write iam/scp --document scp --controller-role-arn arn:aws:iam::111122223333:role/session-manager-role

template() {
    local file=$1
    shift
    write "cloudformation/$file" --format cloudformation "$@"
}

template irsa --permissions-boundary-arn $boundary --oidc-provider $oidc
template pod-identity --permissions-boundary-arn $boundary --eks-cluster production
template other --permissions-boundary-arn $boundary
template without-boundary --without-boundary --eks-cluster production
