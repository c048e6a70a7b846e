#!/usr/bin/env bash
# What the controller does, shown on a real etcd and kube-apiserver, with an IAM emulator in place of
# AWS: everything on 127.0.0.1, no account needed. Every line with a ✓ was waited for and seen; the
# exit status is 0 only when all of them were.
#
# KEEP=1 leaves everything running in the end, and says how to use and to stop it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
account=111122223333
namespace=demo
system=session-manager-role
crd=sessionmanagerroles.sessionmanager.dev
keep=${KEEP:-}
[[ "$keep" != 0 ]] || keep=

# --- words -------------------------------------------------------------------------------------

bold='' green='' red='' dim='' plain=''
if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
fi

elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }
section() { printf '\n%s%s  %s%s\n' "$bold" "$(elapsed)" "$*" "$plain"; }
note() { printf '  %s\n' "$*"; }
seen() { printf '  %s✓%s %s\n' "$green" "$plain" "$*"; }
# What a program printed, set off from our own words.
quote() {
    local line
    while IFS= read -r line || [[ -n "$line" ]]; do printf '    %s%s%s\n' "$dim" "$line" "$plain"; done
}
# Exits, which ends what runs and shows the logs.
fail() {
    printf '\n  %s✗ %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

# --- processes ---------------------------------------------------------------------------------

work='' kubeconfig=''
names=() pids=() stuck=''

# Starts a program in the background, its output in a log of its own.
start() {
    local name=$1
    shift
    # Its input never ends, and it outlives this terminal where it is to be kept.
    nohup "$@" <>"$work/stdin" >"$work/$name.log" 2>&1 &
    names+=("$name")
    pids+=("$!")
}

none_has_ended() {
    local i
    for i in "${!pids[@]}"; do
        kill -0 "${pids[i]}" 2>/dev/null || fail "${names[i]} ended unexpectedly"
    done
}

# A process and all below it.
tree() {
    local pid
    printf '%s\n' "$1"
    for pid in $(ps -A -o pid=,ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); do
        tree "$pid"
    done
}
any_alive() {
    local pid
    for pid in "$@"; do
        ! kill -0 "$pid" 2>/dev/null || return 0
    done
    return 1
}

# Ends one program that was started here, with all that it started, and returns its exit status.
# What has not ended after so many seconds is ended by force, first those at the bottom, so that
# those above them can still clean up.
stop() {
    local all pid deadline=$((SECONDS + $2)) late
    # Numbers only: split on purpose.
    # shellcheck disable=SC2207
    all=($(tree "$1"))
    kill "$1" 2>/dev/null || :
    while any_alive "${all[@]}"; do
        late=$((SECONDS - deadline))
        ((late < 10)) || break
        for pid in "${all[@]}"; do
            if ((late >= 5)) || { ((late >= 0)) && [[ "$pid" != "$1" && "$(tree "$pid")" == "$pid" ]]; }; then
                kill -KILL "$pid" 2>/dev/null || :
            fi
        done
        sleep 0.1
    done
    if any_alive "${all[@]}"; then
        printf '  %s✗ not all of these could be ended: %s%s\n' "$red" "${all[*]}" "$plain" >&2
        stuck=yes
        return 1
    fi
    wait "$1" 2>/dev/null
}

stop_all() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        stop "${pids[i]}" 5 || :
    done
    pids=() names=()
    # Gone already, but where its owner had to be ended by force.
    [[ "$kubeconfig" != */smr-control-plane-*/* ]] || rm -rf "${kubeconfig%/*}"
}

finish() {
    local code=$? i
    trap - EXIT
    trap '' INT TERM HUP
    if ((code != 0)) && [[ -n "$work" ]]; then
        for i in "${!names[@]}"; do
            printf '\n%s--- the last lines of %s%s\n' "$bold" "${names[i]}.log" "$plain" >&2
            tail -n 25 "$work/${names[i]}.log" >&2 || :
        done
        [[ -z "$kubeconfig" ]] || tail -n 10 "${kubeconfig%/*}"/{etcd,kube-apiserver}.log >&2 || :
    fi
    if [[ ${#pids[@]} -gt 0 ]]; then
        stop_all
    fi
    [[ -z "$work" ]] || rm -rf "$work"
    ((code == 0)) || printf '\n%s✗ The demo failed after %s.%s\n' "$red" "$(elapsed)" "$plain" >&2
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Polls until a command succeeds: eventually <seconds> <what is then true> <command>...
eventually() {
    local limit=$1 what=$2 deadline=$((SECONDS + $1))
    shift 2
    until "$@" 2>>"$work/polling.log"; do
        none_has_ended
        ((SECONDS < deadline)) || fail "not seen within $limit s: $what"
        sleep 0.2
    done
    seen "$what"
}

# --- Kubernetes and IAM ------------------------------------------------------------------------

k() { "$bin/kubectl" --kubeconfig "$kubeconfig" --cache-dir "$work/kubectl-cache" "$@"; }

# One value out of a SessionManagerRole.
value() { k get sessionmanagerrole "$1" --namespace "$namespace" --output "jsonpath=$2"; }
ready() { value "$1" '{.status.conditions[?(@.type=="Ready")].status}/{.status.conditions[?(@.type=="Ready")].reason}'; }
message() { value "$1" '{.status.conditions[?(@.type=="Ready")].message}'; }
ready_is() { [[ "$(ready "$1")" == "$2" ]]; }
are_converged() {
    local name
    for name in "$@"; do
        ready_is "$name" True/Converged || return 1
    done
}
# The messages of all events of an object with a reason.
events() {
    k get events --namespace "$namespace" --output 'jsonpath={range .items[*]}{.message}{"\n"}{end}' \
        --field-selector "involvedObject.name=$1,reason=$2"
}
has_event() { [[ -n "$(events "$1" "$2")" ]]; }

http() { curl --silent --show-error --fail --max-time 10 --noproxy '*' "$@"; }

# A call over IAM's own wire protocol, by someone who is not the controller.
# The emulator verifies no signatures.
iam() {
    local action=$1 parameters=() parameter
    shift
    for parameter in "$@"; do parameters+=(--data-urlencode "$parameter"); done
    http "$endpoint/" \
        --header 'Authorization: AWS4-HMAC-SHA256 Credential=AKIASOMEONE/20200101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x' \
        --data-urlencode "Action=$action" --data-urlencode 'Version=2010-05-08' "${parameters[@]}"
}
# All that the emulator holds, read past IAM's own answers.
store() { http "$endpoint/_emulator/store"; }
trust_of() { iam GetRole "RoleName=$1" | tr -d '\n' | sed -n 's/.*<AssumeRolePolicyDocument>\(.*\)<\/AssumeRolePolicyDocument>.*/\1/p'; }
trust_is() { [[ "$(trust_of "$1")" == "$2" ]]; }
# All of a role that IAM shows, but for the numbers of the requests.
whole_role() {
    local action
    for action in GetRole ListRoleTags ListAttachedRolePolicies ListRolePolicies ListInstanceProfilesForRole; do
        iam "$action" "RoleName=$1" | sed 's/<RequestId>[^<]*<\/RequestId>//'
    done
}
store_is() { [[ "$(store)" == "$1" ]]; }
answers() { "$@" >/dev/null; }

# --- the demo ----------------------------------------------------------------------------------

for tool in cargo curl; do
    command -v "$tool" >/dev/null || fail "'$tool' is needed for the demo, and is not there"
done
[[ -d "$target" ]] || note 'The first time takes some minutes; it says what it does.'

section 'Building etcd, kube-apiserver and kubectl'
bin=$(hack/control-plane.sh)
export SMR_CONTROL_PLANE_BIN=$bin
seen "$bin"

section 'Building Helm'
helm=$(hack/go-tool.sh helm)
seen "$helm"

section 'Building the controller, the IAM emulator and the starter of the control plane'
cargo build --bins --package session-manager-role --package iam-emulator --package control-plane
seen "$target/debug/smr, iam-emulator and control-plane"

section 'Starting'
work=$(mktemp -d "${TMPDIR:-/tmp}/smr-demo.XXXXXX")
mkfifo "$work/stdin"
start control-plane "$target/debug/control-plane" --ready-file "$work/kubeconfig-path"
start iam-emulator "$target/debug/iam-emulator" --listen 127.0.0.1:0 --account-id "$account" --ready-file "$work/endpoint"
eventually 30 'the IAM emulator answers' test -s "$work/endpoint"
endpoint=$(<"$work/endpoint")
eventually 120 'etcd and kube-apiserver are ready' test -s "$work/kubeconfig-path"
kubeconfig=$(<"$work/kubeconfig-path")
k version | grep Server | quote

section 'Installing the chart with Helm'
# What differs from a real cluster: AWS is the emulator, the resync does not keep you waiting, nothing listens
# beyond this machine, and a process outside of a Pod does not know its namespace.
cat >"$work/values.yaml" <<YAML
clusterName: demo
aws: {endpointUrl: $endpoint, region: us-east-1}
controller:
  resyncInterval: 5s
  logFormat: text
  extraArgs: [--metrics-addr=127.0.0.1:0]
leaderElection: {namespace: $system}
YAML
quote <"$work/values.yaml"
helm() { env -i HOME="$work" PATH="$PATH" KUBECONFIG="$kubeconfig" "$helm" "$@"; }
helm install session-manager-role deploy/chart --namespace "$system" --create-namespace \
    --values "$work/values.yaml" >"$work/helm.log" 2>&1 || {
    quote <"$work/helm.log"
    fail 'helm install failed'
}
k wait --for=condition=Established --timeout=60s "crd/$crd" >/dev/null
eventually 30 'the CRD is served; the chart is installed' answers k get sessionmanagerroles --all-namespaces
k create namespace "$namespace" >/dev/null

# The controller is no administrator here: it is its ServiceAccount, with the RBAC of the chart.
token=$(k create token session-manager-role --namespace "$system" --duration 24h)
k config view --raw --flatten --minify >"$work/controller.kubeconfig"
chmod 600 "$work/controller.kubeconfig"
config() { "$bin/kubectl" --kubeconfig "$work/controller.kubeconfig" config "$@" >/dev/null; }
config set-credentials controller --token "$token"
config set-context --current --user controller
may() { "$bin/kubectl" --kubeconfig "$work/controller.kubeconfig" auth can-i "$@" --all-namespaces >/dev/null 2>&1; }
may watch sessionmanagerroles.sessionmanager.dev || fail 'the ServiceAccount may not watch SessionManagerRoles'
! may get secrets || fail 'the ServiceAccount may read Secrets'
seen "the controller's ServiceAccount may watch SessionManagerRoles, and may not read Secrets"

# No Pods run here, so the program is started as the Deployment says: its arguments and its environment. The rest
# of the environment is all here, so that no AWS profile or proxy of this machine has a say.
lines() { k get deployment session-manager-role --namespace "$system" --output "go-template=$1"; }
mapfile -t arguments < <(lines '{{range (index .spec.template.spec.containers 0).args}}{{println .}}{{end}}')
mapfile -t environment < <(lines '{{range (index .spec.template.spec.containers 0).env}}{{println (printf "%s=%s" .name .value)}}{{end}}')
quote <<<"smr ${arguments[*]}"
start controller env -i PATH="$PATH" HOME="$work" KUBECONFIG="$work/controller.kubeconfig" \
    AWS_EC2_METADATA_DISABLED=true AWS_ACCESS_KEY_ID=AKIADEMOCONTROLLER AWS_SECRET_ACCESS_KEY=not-a-secret \
    "${environment[@]}" "$target/debug/smr" "${arguments[@]}"
controller=$!
listening() {
    address=$(sed -n 's/.*serving .*address=\([0-9.:]*\).*/\1/p' "$work/controller.log")
    [[ -n "$address" ]]
}
eventually 30 'the controller runs' listening
eventually 30 'the controller is ready (/readyz)' answers http "http://$address/readyz"

section 'Someone else has a role in the account already'
foreign=$namespace.taken
iam CreateRole "RoleName=$foreign" 'Description=Of another team' \
    'AssumeRolePolicyDocument={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' \
    'Tags.member.1.Key=team' 'Tags.member.1.Value=payments' >/dev/null
foreign_before=$(whole_role "$foreign")
store_before=$(store)
seen "the role $foreign, which is no business of ours; nothing else is in IAM"

section 'Three objects become working IAM roles'
quote <deploy/samples/logs-and-kms.yaml
k apply --server-side --namespace "$namespace" --kustomize deploy/samples | quote
eventually 60 'all three are Ready' are_converged minimal web-fleet datacenter
k get smr --namespace "$namespace" | quote
iam ListAttachedRolePolicies "RoleName=$namespace.web-fleet" | grep -q "<PolicyName>$namespace.web-fleet</PolicyName>" ||
    fail "the role $namespace.web-fleet has no policy in IAM"
iam GetInstanceProfile "InstanceProfileName=$namespace.web-fleet" | grep -q "<RoleName>$namespace.web-fleet</RoleName>" ||
    fail "the instance profile $namespace.web-fleet has no role in IAM"
seen "IAM has the role $namespace.web-fleet, its policy attached, in its instance profile"
iam ListRoleTags "RoleName=$namespace.web-fleet" | tr -d '\n ' | grep -q "<Key>sessionmanager.dev/owner</Key><Value>$namespace/web-fleet</Value>" ||
    fail "the role $namespace.web-fleet lacks the tag of its owner"
seen "its tags say whose it is: sessionmanager.dev/owner = $namespace/web-fleet"

section 'An object that could not work is refused at admission'
if k apply --server-side --namespace "$namespace" --filename deploy/samples/invalid.yaml >"$work/invalid.log" 2>&1; then
    fail 'deploy/samples/invalid.yaml was accepted'
fi
quote <"$work/invalid.log"
grep -q "spec.sessionEncryption.kmsKeyArn must be the key's ARN" "$work/invalid.log" || fail 'the message does not say what to write'
seen 'refused, with the field and the way out'

section 'Someone changes the trust policy of a role in AWS'
role=$namespace.minimal
trust_before=$(trust_of "$role")
[[ -n "$trust_before" ]] || fail "IAM shows no trust policy of $role"
iam UpdateAssumeRolePolicy "RoleName=$role" \
    'PolicyDocument={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}' >/dev/null
note "UpdateAssumeRolePolicy: $role now trusts the account 999999999999"
eventually 60 'the trust policy is as it was' trust_is "$role" "$trust_before"
drift_is_told() { [[ "$(value minimal '{.status.lastDrift.repaired}')" == true ]]; }
eventually 30 'status.lastDrift tells it:' drift_is_told
value minimal '{.status.lastDrift.message}{"\n"}' | quote
eventually 30 'so does an event, with reason Repaired:' has_event minimal Repaired
events minimal Repaired | quote
eventually 30 'the object is Ready again' are_converged minimal

section 'An object asks for a name that is taken'
note "$namespace/taken would be the role $foreign"
k apply --server-side --namespace "$namespace" --filename - >/dev/null <<'YAML'
apiVersion: sessionmanager.dev/v1alpha1
kind: SessionManagerRole
metadata:
  name: taken
spec: {}
YAML
eventually 60 'it is not Ready, with reason NotOwned:' ready_is taken False/NotOwned
message taken | quote
[[ "$(whole_role "$foreign")" == "$foreign_before" ]] || fail "the role $foreign was changed"
seen "$foreign is untouched: trust policy, tags, attachments"
k get smr --namespace "$namespace" | quote

section 'Someone deletes the CRD'
# First as a dry run: the API server needs a moment before a new policy is in force.
crd_is_protected() { ! k delete crd "$crd" --dry-run=server >"$work/crd.log" 2>&1 && grep -q 'deleting this CRD' "$work/crd.log"; }
eventually 30 'the API server refuses it:' crd_is_protected
quote <"$work/crd.log"
k delete crd "$crd" >"$work/crd.log" 2>&1 && fail 'the CRD could be deleted'
are_converged minimal web-fleet datacenter || fail 'an object is no longer Ready'
seen 'every object is there, and Ready'

section 'All objects are deleted'
k delete smr --all --namespace "$namespace" --timeout 90s | quote
seen 'the objects are gone'
eventually 30 'IAM holds what it held before the first of them, to the letter: the foreign role' store_is "$store_before"

if [[ -n "$keep" ]]; then
    section 'Everything was seen, and is left running'
    note 'To use it:'
    quote <<TEXT
export KUBECONFIG=$kubeconfig
export AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIASOMEONE AWS_SECRET_ACCESS_KEY=x
$bin/kubectl create namespace mine
$bin/kubectl apply -n mine -k deploy/samples
$bin/kubectl get smr -A
curl $endpoint/_emulator/store
tail -f $work/controller.log
TEXT
    note 'To stop it:'
    quote <<TEXT
kill ${pids[*]}; rm -rf $work
TEXT
    disown -a
    trap - EXIT INT TERM HUP
    exit 0
fi

section 'Stopping'
code=0
began=$SECONDS
stop "$controller" 15 || code=$?
((code == 0)) || fail "the controller ended with $code after SIGTERM"
((SECONDS - began <= 10)) || fail 'the controller took more than 10 s to end after SIGTERM'
unset 'pids[2]' 'names[2]'
seen 'the controller ended by itself after SIGTERM, with 0'
stop_all
[[ -z "$stuck" ]] || fail 'something is left running'
seen 'nothing is left running'

printf '\n%s%s✓ All of it was seen, in %s.%s\n' "$bold" "$green" "$(elapsed)" "$plain"
