# 'make' alone tells what there is.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

CARGO ?= cargo
CRD := crds/sessionmanagerroles.sessionmanager.dev.yaml

# What the controller asked of IAM in the end-to-end tests.
RECORDED := $(CURDIR)/target/policy-simulation/calls.jsonl

# A recipe's line that begins with one of these finds the real binaries, which are built once.
WITH_CONTROL_PLANE = bin="$$(hack/control-plane.sh)" && SMR_CONTROL_PLANE_BIN="$$bin"
WITH_CONTROL_PLANE_KCM = bin="$$(hack/control-plane.sh kcm)" && SMR_CONTROL_PLANE_BIN="$$bin"

# Cargo compiles a dependency anew for each set of its features, and that depends on which packages, and which kinds
# of targets, are built together. So all is built as 'cargo test --workspace' does it, and a small test along with a
# program.
TEST = $(CARGO) test --workspace
BUILD = $(CARGO) build --workspace --test structure
BUILT := $(or $(CARGO_TARGET_DIR),target)/debug
SMR := $(BUILT)/smr
WITH_SMR = $(BUILD) -q --bin smr

# Helm, and what runs Pods.
WITH_PODS = helm="$$(hack/go-tool.sh helm)" && $(BUILD) --bin smr --bin test-kubelet && export SMR_HELM="$$helm" &&

# What a test says of its failure, and not where in it: the log of a run is cut when it is long.
export RUST_BACKTRACE := 0

# The steps of 'make test', cheapest first. One after the other, as each uses all cores.
STEPS := lint release-files pure generated unit test-simulation test-schema test-image moto-conformance test-cloudformation e2e policy-simulation moto-e2e test-gitops deny

.PHONY: help
help: ## This list
	@printf 'session-manager-role\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## All that the controller does, on a real control plane, with an IAM emulator (KEEP=1: leave it running)
	@KEEP="$(KEEP)" hack/demo.sh

.PHONY: test
test: ## Everything that CI runs; each step's time is added to target/step-times.tsv
	@hack/steps.sh target/step-times.tsv $(MAKE) $(STEPS)

.PHONY: lint
lint: ## Format, and clippy with warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy --workspace --test e2e --test gitops --all-features -- -D warnings

.PHONY: pure
pure: ## The pure crates compile on their own
	$(CARGO) check -p smr-api
	$(CARGO) check -p smr-core
	$(CARGO) check -p smr-manifest

.PHONY: unit
unit: ## What needs no server: unit and property tests, the emulator's conformance
	$(TEST)

# Our own code is optimized, too: the stories are played hundreds of times.
OPTIMIZED := --config tests/simulation/optimized.toml
SIMULATE = $(BUILD) $(OPTIMIZED) -q --bin simulate && $(BUILT)/simulate

.PHONY: test-simulation
test-simulation: ## The whole program in virtual time under faults: some thousand stories
	$(SIMULATE) suites

.PHONY: simulate
simulate: ## The story of one seed of the simulation: make simulate SEED=24 (LEADERSHIP=1: of several replicas)
	@$(SIMULATE) story $(SEED) $(if $(LEADERSHIP),--leadership)

.PHONY: simulate-long
simulate-long: ## All suites of the simulation at full size (about 40 minutes); writes the figures in docs/reliability.md
	$(SIMULATE) suites --size long --write docs/reliability.md

.PHONY: seeded-bugs
seeded-bugs: ## Which suites of the simulation catch each of the faults that are put into a copy of the program
	$(BUILD) $(OPTIMIZED) -q --bin seeded-bugs && $(BUILT)/seeded-bugs --only "$(BUG)"

# The schemas of the kinds, in the layout of catalogues of CRDs.
SCHEMAS := deploy/schemas/sessionmanager.dev
WRITE_SCHEMAS = mkdir -p $(1) && $(SMR) crd --kind SessionManagerRole --schema json > $(1)/sessionmanagerrole_v1alpha1.json

.PHONY: generate
generate: ## Writes the CRD and its JSON schema, the IAM documents and templates, the snippets for Argo CD, the table of metrics, and what the charts have of them
	@$(WITH_SMR) && $(SMR) crd > $(CRD).new || { rm -f $(CRD).new; exit 1; }
	@mv $(CRD).new $(CRD)
	@$(call WRITE_SCHEMAS,$(SCHEMAS))
	@hack/iam-documents.sh deploy $(SMR)
	@deploy/argocd/generate.sh
	@UPDATE_DOCS=1 $(TEST) -q --test monitoring docs:: > /dev/null
	@UPDATE_CHARTS=1 $(TEST) -q --test chart what_is_generated > /dev/null

.PHONY: generated
generated: ## Fails where the CRD, a JSON schema, an IAM document or a CloudFormation template is stale
	@$(WITH_SMR)
	@$(SMR) crd | diff -u $(CRD) - || { echo "✗ $(CRD) is stale: run 'make generate'" >&2; exit 1; }
	@rm -rf target/schemas && $(call WRITE_SCHEMAS,target/schemas)
	@diff -ru $(SCHEMAS) target/schemas || { echo "✗ $(SCHEMAS) is stale: run 'make generate'" >&2; exit 1; }
	@rm -rf target/aws && hack/iam-documents.sh target/aws $(SMR)
	@for what in iam cloudformation; do diff -ru deploy/$$what target/aws/$$what || { echo "✗ deploy/$$what is stale: run 'make generate'" >&2; exit 1; }; done

.PHONY: conformance
conformance: ## The IAM emulator against the table of IAM's behaviours
	$(CARGO) test -p iam-emulator

.PHONY: control-plane
control-plane: ## Builds etcd, kube-apiserver and kubectl, once
	@hack/control-plane.sh

.PHONY: control-plane-kcm
control-plane-kcm: ## Builds kube-controller-manager too, once (a test deletes a namespace)
	@hack/control-plane.sh kcm

# Most tests wait for intervals and windows of the program: many at a time, however few the cores.
AT_A_TIME := -- --test-threads=12

.PHONY: e2e
e2e: ## The tests on the real control plane; calls to IAM are recorded for policy-simulation
	@mkdir -p $(dir $(RECORDED)) && rm -f $(RECORDED)
	export IAM_EMULATOR_RECORD=$(RECORDED); $(WITH_PODS) $(WITH_CONTROL_PLANE_KCM) $(TEST) --test e2e $(AT_A_TIME)

.PHONY: propagation
propagation: ## Every order of three of create, edit, delete and replace within IAM's delay, some 10 minutes
	$(WITH_CONTROL_PLANE) $(TEST) --test e2e -- --ignored --exact propagation::every_order_of_three_deeds_ends_as_without_a_delay --show-output

# A commit, and where its program and manifests are put. The build has a directory of its own: Cargo
# takes files that are older than a build, as those of an archive are, for the ones that were built.
FROM ?= HEAD
UPGRADE_FROM := $(CURDIR)/target/upgrade-from

.PHONY: upgrade-state
upgrade-state: ## Stores what a fleet of a commit's program leaves, for the upgrade test (FROM=<commit>)
	rm -rf $(UPGRADE_FROM) && mkdir -p $(UPGRADE_FROM) && git archive $(FROM) | tar -x -C $(UPGRADE_FROM)
	$(CARGO) build --manifest-path $(UPGRADE_FROM)/Cargo.toml --target-dir $(UPGRADE_FROM)/target --bin smr
	export SMR_UPGRADE_CHECKOUT=$(UPGRADE_FROM) SMR_UPGRADE_STATE="$$(git rev-parse --short=7 $(FROM))"; \
	$(WITH_CONTROL_PLANE) $(TEST) --test e2e -- --ignored --exact upgrade::make::a_fleet_is_made_and_stored

.PHONY: policy-simulation
policy-simulation: $(RECORDED) ## The IAM documents before an evaluator that is not ours, and before the emulator's (needs Node.js)
	@$(WITH_SMR) --bin iam-emulator
	tests/policy-simulation/run.sh $(SMR) $(RECORDED) $(BUILT)/iam-emulator

$(RECORDED):
	@mkdir -p $(dir $(RECORDED))
	export IAM_EMULATOR_RECORD=$(RECORDED); $(WITH_PODS) $(WITH_CONTROL_PLANE_KCM) $(TEST) --test e2e $(AT_A_TIME) lifecycle:: ownership::

.PHONY: moto
moto: moto-conformance moto-e2e ## The second opinion: the same scenes on a pinned moto (needs Python 3)

.PHONY: moto-conformance
moto-conformance:
	tests/moto/run.sh $(TEST) --test conformance --test structure

.PHONY: moto-e2e
moto-e2e:
	$(WITH_CONTROL_PLANE) tests/moto/run.sh $(TEST) --test e2e -- --ignored --exact moto::life_on_moto_goes_as_on_the_emulator_but_as_listed

.PHONY: test-cloudformation
test-cloudformation: ## The commands of docs/controller-iam.md with AWS's command line, cfn-lint, and moto for AWS
	@$(WITH_SMR)
	$(WITH_CONTROL_PLANE) MOTO_ACCOUNT_ID=111122223333 tests/moto/run.sh bash -c '"$$SMR_MOTO_PYTHON" -I tests/moto/cloudformation.py "$(SMR)" "$$SMR_MOTO_ENDPOINT" target/aws-documents "$$SMR_CONTROL_PLANE_BIN/kubectl"'

.PHONY: argo-cd
argo-cd: ## Builds Argo CD, once
	@hack/argo-cd.sh

.PHONY: test-gitops
test-gitops: ## From a Git commit to IAM by a real Argo CD; its health script, and kstatus' own verdicts
	cd tests/argo-cd && go test -count=1 ./...
	cd tests/kstatus && go test -count=1 ./...
	argo="$$(hack/argo-cd.sh)" && helm="$$(hack/go-tool.sh helm)" && export SMR_ARGO_CD_BIN="$$argo" SMR_HELM="$$helm" && $(WITH_CONTROL_PLANE_KCM) $(TEST) --test gitops -- --test-threads=6 --show-output

.PHONY: bench
bench: ## Measures a fleet and writes docs/benchmarks.md and its plot, some 25 minutes (ROWS="first idle": those only)
	$(WITH_CONTROL_PLANE) $(CARGO) bench --bench fleet -- $(ROWS)
	$(CARGO) bench -p smr-core --bench core

# The bar for the image, uncompressed.
IMAGE_MEGABYTES := 40

.PHONY: image
image: ## Builds the program as it is released and its container image, without a container engine
	@binary="$$(hack/build-release.sh)" && hack/image.sh --binary "$$binary" --output target/image --max-megabytes $(IMAGE_MEGABYTES)

.PHONY: test-schema
test-schema: ## The JSON schemas before validators that are not ours: the samples, invalid manifests, generated ones
	@tests/schema/run.sh

.PHONY: test-image
test-image: ## The image from a debug build: its files, its bill of materials, that it runs, and a registry
	@$(WITH_SMR)
	@tests/image/run.sh "$(SMR)"

.PHONY: image-lock
image-lock: ## Writes the versions of Debian's packages that the image takes files from, as Debian has them now
	@hack/image/lock.sh

.PHONY: deny
deny: ## Licences, sources and advisories of the dependencies; says what it could not check
	@hack/cargo-deny.sh

.PHONY: release-files
release-files: ## What only a release runs: the workflows, the Dockerfile, the changelog
	@hack/check-release-files.sh

# Pages of metrics that tests keep for promtool.
PAGES := $(CURDIR)/target/metrics

.PHONY: check-alerts
check-alerts: ## Alerts and pages of metrics before Prometheus' own tool, which is built once, some 10 minutes
	@rm -rf $(PAGES) && mkdir -p $(PAGES)
	export SMR_METRICS_PAGES=$(PAGES); $(CARGO) test -q --lib a_day_passes_in_virtual_time && $(CARGO) test -q --test monitoring pages::
	@tests/monitoring/promtool.sh $(PAGES)/leader.prom $(PAGES)/standby.prom

.PHONY: check-release
check-release: ## What takes too long for 'make test': the dependencies, the alerts, and a release made twice with the same bytes
	@hack/cargo-deny.sh build
	@$(MAKE) check-alerts
	@hack/release/check.sh
