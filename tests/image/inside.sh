#!/usr/bin/env bash
# Runs the image as a container runtime does, in a mount namespace of its own: the image's files below,
# what a Pod adds on top, all of it read-only, and the image's user. tests/image/run.sh starts it.
#
#   unshare --mount inside.sh ROOT
set -euo pipefail

image=$1
fail() {
    printf '✗ %s\n' "$*" >&2
    exit 1
}
scratch=$(mktemp -d)
program=
clean_up() {
    [[ -z "$program" ]] || kill "$program" 2>/dev/null || :
    rm -rf "$scratch" 2>/dev/null || :
}
trap clean_up EXIT

pod=$scratch/pod
mount -t tmpfs tmpfs "$scratch"
mkdir -p "$scratch/upper/etc" "$scratch/work" "$pod"
# An API server that refuses connections: the program waits for it, and is alive.
cat >"$scratch/upper/etc/kubeconfig" <<'YAML'
{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}], contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}]}
YAML
chmod 755 "$scratch" "$scratch/upper" "$scratch/upper/etc"
mount -t overlay overlay -o "lowerdir=$image,upperdir=$scratch/upper,workdir=$scratch/work" "$pod"
mount -o remount,ro "$pod"

in_pod() {
    local chroot
    chroot=$(command -v chroot)
    exec env -i PATH=/ SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt KUBECONFIG=/etc/kubeconfig AWS_REGION=us-east-1 \
        AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_ENDPOINT_URL=http://127.0.0.1:1 \
        "$chroot" --userspec=65532:65532 --groups=65532 "$pod" "$@"
}

[[ "$(in_pod /smr --version)" == "smr "* ]] || fail 'smr --version'
if (touch "$pod/written") 2>/dev/null; then fail 'the file system can be written'; fi
# Without a cluster's name it says so, and with one but no cluster what it looks for.
said=$(in_pod /smr run 2>&1) && fail 'smr run started without a cluster name'
[[ "$said" == *--cluster-name* ]] || fail "smr run without a cluster name says: $said"

(in_pod /smr run --cluster-name image-test --metrics-addr 127.0.0.1:0 --log-format json) >"$scratch/log" 2>&1 &
program=$!
deadline=$((SECONDS + 60))
until address=$(grep -om1 '127\.0\.0\.1:[0-9]\{2,\}' "$scratch/log"); do
    kill -0 "$program" 2>/dev/null && ((SECONDS < deadline)) || fail "smr run does not start: $(cat "$scratch/log")"
    sleep 0.1
done
curl --fail --silent --show-error --noproxy '*' --max-time 10 "http://$address/livez" >/dev/null || fail "/livez: $(cat "$scratch/log")"
[[ "$(awk '/^Uid:/ { print $2 }' "/proc/$program/status")" == 65532 ]] || fail 'smr run has another user than 65532'
kill -TERM "$program"
code=0
wait "$program" || code=$?
program=
((code == 0)) || fail "smr run ended with $code after SIGTERM: $(cat "$scratch/log")"
