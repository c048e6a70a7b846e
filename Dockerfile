# The same files as the released image (hack/image.sh), for those who have a container engine:
#
#   docker build --tag session-manager-role .
#
# The bytes differ from the released image's, as the libraries come from distroless. For a build that can
# be repeated, give both images by digest. The release workflow does so: it asks the registries for the
# digests ('crane digest'), builds with them, and prints them.
#
#   docker build --build-arg RUST=docker.io/library/rust@sha256:... --build-arg BASE=gcr.io/distroless/cc-debian12@sha256:... .
ARG RUST=docker.io/library/rust:1.95.0-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST} AS build
# The time of the commit, as nothing of Git is in the build: git log -1 --format=%ct
ARG SOURCE_DATE_EPOCH=0
# The commit that the metric smr_build_info names: git rev-parse HEAD
ARG SMR_COMMIT=
WORKDIR /smr
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY . .
RUN hack/build-release.sh \
    && mkdir /documents \
    && cp LICENSE /documents/ \
    && python3 hack/image/materials.py --target "$(rustc -vV | sed -n 's/^host: //p')" --epoch "$SOURCE_DATE_EPOCH" \
        --sbom /documents/sbom.cdx.json --licenses /documents/third-party-licenses.txt

FROM ${BASE}
COPY --from=build /documents/ /usr/share/doc/session-manager-role/
COPY --from=build /smr/target/release/smr /smr
USER 65532:65532
ENTRYPOINT ["/smr"]
