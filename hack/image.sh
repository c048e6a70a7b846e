#!/usr/bin/env bash
# Assembles the container image from a built program, without a container engine. The same program,
# commit and lock file give the same bytes.
#
#   hack/image.sh --binary PATH --output DIR [--arch amd64|arm64] [--strip] [--max-megabytes N]
#
# DIR/root/            the image's files, and nothing else
# DIR/oci/             the image as an OCI layout ('crane push DIR/oci REGISTRY/NAME:TAG' takes it)
# DIR/digest           the digest of its manifest
# DIR/sbom.cdx.json    what it is made of
#
# --arch: what the program has to be built for; default: what it is. --strip takes the symbols off a debug
# build. The build fails where the image has more than N megabytes (10^6 bytes). SOURCE_DATE_EPOCH: the time
# of all files; default: of the commit. SMR_DEBIAN_MIRROR: where the packages of hack/image/packages.lock come
# from. SMR_CACHE: where they are kept.
set -euo pipefail
umask 022
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
source "$root/hack/lib.sh"
lock=$root/hack/image/packages.lock
mirror=${SMR_DEBIAN_MIRROR:-http://deb.debian.org}

usage() {
    sed -n '5p' "$0" | cut -c5- >&2
    exit 64
}
binary='' output='' arch='' strip='' megabytes=''
while (($# > 0)); do
    case "$1" in
    --strip)
        strip=yes
        shift
        continue
        ;;
    --binary) binary=${2:-} ;;
    --output) output=${2:-} ;;
    --arch) arch=${2:-} ;;
    --max-megabytes) megabytes=${2:-} ;;
    *) usage ;;
    esac
    (($# >= 2)) || usage
    shift 2
done
[[ -n "$binary" && -n "$output" ]] || usage
[[ -f "$binary" ]] || fail "--binary $binary: no such file. 'make image' builds the program first"
for tool in ar curl gzip python3 readelf tar xz; do
    command -v "$tool" >/dev/null || fail "$tool is needed to assemble the image"
done
case "$(readelf -h "$binary" 2>/dev/null | sed -n 's/^ *Machine: *//p')" in
*X86-64) built_for=amd64 triple=x86_64-linux-gnu target=x86_64-unknown-linux-gnu ;;
AArch64) built_for=arm64 triple=aarch64-linux-gnu target=aarch64-unknown-linux-gnu ;;
*) fail "--binary $binary: no Linux program for amd64 or arm64" ;;
esac
[[ "${arch:=$built_for}" == "$built_for" ]] || fail "--arch $arch: $binary is a program for $built_for"

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
revision=$(git -C "$root" rev-parse HEAD)
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$work/image/root
packages=$work/packages

# Prints where the package is kept once it is, with the bytes that the lock file says.
package() {
    local name=$1 version=$2 sum=$3 path=$4 kept=$cache/debian-packages/$3.deb
    if [[ ! -e "$kept" ]]; then
        mkdir -p "$cache/debian-packages"
        curl --fail --silent --show-error --location --retry 3 --output "$work/deb" "$mirror/$path" ||
            fail "$mirror no longer has $name $version ($path), or can't be reached. 'make image-lock' writes the versions that Debian has now into hack/image/packages.lock"
        [[ "$(sha256 <"$work/deb")" == "$sum"* ]] ||
            fail "$mirror/$path is not what hack/image/packages.lock says: its SHA-256 is not $sum"
        # Under its name only when it is whole.
        mv "$work/deb" "$kept.$$"
        mv "$kept.$$" "$kept"
    fi
    printf '%s\n' "$kept"
}

unpack_packages() {
    local of name version sum path kept
    while read -r of name version sum path; do
        [[ "$of" == "$arch" ]] || continue
        kept=$(package "$name" "$version" "$sum" "$path")
        mkdir -p "$packages/$name"
        ar p "$kept" data.tar.xz | tar -xJ -C "$packages/$name"
    done <"$lock"
}

copy() {
    install -D -m "$1" "$2" "$image/$3"
}

# The program, its loader, and the libraries that it and they need.
copy_program() {
    copy 755 "$binary" smr
    [[ -z "$strip" ]] || strip --strip-all "$image/smr"
    local loader found library wanted=() at=0
    loader=$(readelf -l "$image/smr" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
    [[ -n "$loader" ]] || fail "$binary names no loader: it is not linked to glibc as the image expects"
    wanted=("$(basename "$loader")")
    mapfile -t -O 1 wanted < <(needed "$image/smr")
    while ((at < ${#wanted[@]})); do
        library=${wanted[at]}
        at=$((at + 1))
        [[ ! -e "$image/lib/$triple/$library" ]] || continue
        found=$(find "$packages" -path "*/lib/$triple/$library" | head -n 1)
        [[ -n "$found" ]] ||
            fail "the program needs $library, which no package of hack/image/packages.lock has: link without it, or add its package to hack/image/lock.sh and run 'make image-lock'"
        copy "$(stat -L -c %a "$found")" "$(readlink -f "$found")" "lib/$triple/$library"
        mapfile -t -O "${#wanted[@]}" wanted < <(needed "$found")
    done
    # Where the program asks for the loader, such as /lib64.
    if [[ ! -e "$image$loader" ]]; then
        mkdir -p "$(dirname "$image$loader")"
        ln -s "/lib/$triple/$(basename "$loader")" "$image$loader"
    fi
}

needed() {
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

# glibc is compatible upwards only.
check_glibc() {
    local asked has
    asked=$(readelf -V "$image/smr" | grep -o 'GLIBC_[0-9.]*' | cut -d_ -f2 | sort -uV | tail -n 1)
    has=$(awk -v arch="$arch" '$1 == arch && $2 == "libc6" { sub(/-.*/, "", $3); print $3 }' "$lock")
    [[ "$(printf '%s\n' "$asked" "$has" | sort -V | tail -n 1)" == "$has" ]] ||
        fail "the program needs glibc $asked, and the image has glibc $has of Debian 12: build the program on Debian 12 or older"
    say "  glibc: the program needs $asked, the image has $has"
}

# What update-ca-certificates does when the package is installed.
write_certificates() {
    local bundle=$image/etc/ssl/certs/ca-certificates.crt certificate
    mkdir -p "$(dirname "$bundle")"
    while read -r certificate; do
        sed -e '$a\' "$certificate"
    done < <(find "$packages/ca-certificates/usr/share/ca-certificates" -name '*.crt' | sort) >"$bundle"
    grep -q 'BEGIN CERTIFICATE' "$bundle" || fail "the package ca-certificates has no certificates"
}

# The user, and where names are looked up: /etc/hosts first, which has the Pod's hostAliases.
write_configuration() {
    mkdir -p "$image/etc"
    printf '%s\n' 'root:x:0:0:root:/root:/sbin/nologin' 'nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin' >"$image/etc/passwd"
    printf '%s\n' 'root:x:0:' 'nonroot:x:65532:' >"$image/etc/group"
    printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$image/etc/nsswitch.conf"
}

# The licences of all that is in the image, and its bill of materials.
write_documents() {
    local name document=$image/usr/share/doc license
    # Of libgcc-s1, whose directory is a link to gcc-12-base's.
    for name in ca-certificates gcc-12-base libc6; do
        copy 644 "$packages/$name/usr/share/doc/$name/copyright" "usr/share/doc/$name/copyright"
    done
    ln -s gcc-12-base "$document/libgcc-s1"
    while read -r license; do
        copy 644 "$(readlink -f "$packages/base-files/$license")" "$license"
    done < <(grep -rhoE '/usr/share/common-licenses/[A-Za-z]+(-[0-9.]*[0-9])?' "$document" | sort -u)
    copy 644 "$root/LICENSE" usr/share/doc/session-manager-role/LICENSE
    python3 "$root/hack/image/materials.py" --target "$target" --arch "$arch" --packages "$lock" --epoch "$epoch" \
        --sbom "$document/session-manager-role/sbom.cdx.json" \
        --licenses "$document/session-manager-role/third-party-licenses.txt"
    chmod 644 "$document"/session-manager-role/*
}

# Puts a blob into the layout and prints its descriptor.
#   blob FILE MEDIA-TYPE [MORE JSON]
blob() {
    local hash
    hash=$(sha256 <"$1")
    hash=${hash%% *}
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s%s}' "$2" "$hash" "$(stat -c %s "$1")" "${3:-}"
    mv "$1" "$oci/blobs/sha256/$hash"
}

write_layout() {
    local oci=$work/image/oci type=application/vnd.oci.image diff layer config manifest created
    mkdir -p "$oci/blobs/sha256"
    tar --create --format=gnu --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -C "$image" . >"$work/layer.tar"
    diff=$(sha256 <"$work/layer.tar")
    gzip -n "$work/layer.tar"
    layer=$(blob "$work/layer.tar.gz" $type.layer.v1.tar+gzip)
    created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
    cat >"$work/config" <<JSON
{"created":"$created","architecture":"$arch","os":"linux","config":{"User":"65532:65532","Env":["PATH=/","SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],"Entrypoint":["/smr"],"WorkingDir":"/","Labels":{"org.opencontainers.image.created":"$created","org.opencontainers.image.title":"session-manager-role","org.opencontainers.image.description":"A Kubernetes controller that keeps least-privilege IAM roles for AWS Systems Manager Session Manager","org.opencontainers.image.version":"$version","org.opencontainers.image.revision":"$revision","org.opencontainers.image.source":"https://github.com/session-manager-role/session-manager-role","org.opencontainers.image.licenses":"Apache-2.0"}},"rootfs":{"type":"layers","diff_ids":["sha256:${diff%% *}"]},"history":[{"created":"$created","created_by":"hack/image.sh"}]}
JSON
    config=$(blob "$work/config" $type.config.v1+json)
    printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' $type.manifest.v1+json "$config" "$layer" >"$work/manifest"
    manifest=$(blob "$work/manifest" $type.manifest.v1+json ",\"platform\":{\"architecture\":\"$arch\",\"os\":\"linux\"}")
    printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' $type.index.v1+json "$manifest" >"$oci/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
    grep -o 'sha256:[0-9a-f]*' <<<"$manifest" >"$work/image/digest"
}

mkdir -p "$image" "$packages"
unpack_packages
copy_program
check_glibc
write_certificates
write_configuration
write_documents
find "$image" -type d -exec chmod 755 {} +
bytes=$(find "$image" -type f -printf '%s\n' | awk '{ all += $1 } END { print all }')
say "  size: $(awk -v b="$bytes" 'BEGIN { printf "%.1f", b / 1e6 }') MB uncompressed, smr $(stat -c %s "$image/smr" | awk '{ printf "%.1f", $1 / 1e6 }') MB of it"
[[ -z "$megabytes" ]] || ((bytes <= megabytes * 1000000)) || fail "the image has $bytes bytes, more than $megabytes MB"
write_layout
copy_of_sbom=$work/image/sbom.cdx.json
cp "$image/usr/share/doc/session-manager-role/sbom.cdx.json" "$copy_of_sbom"

mkdir -p "$output"
output=$(cd "$output" && pwd)
for name in root oci digest sbom.cdx.json; do
    rm -rf "${output:?}/$name"
    mv "$work/image/$name" "$output/$name"
done
say "  $output: $(cat "$output/digest")"
