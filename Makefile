# kubectl pprof: see `make help`. `make check` needs Go only: no root, no Linux. `make demo` and
# `make test` do the rest on a fresh Debian machine with Go and root.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ARCH       := $(shell go env GOARCH)
OUT        := $(CURDIR)/out
BIN        := $(OUT)/bin
# The name under which the image is built and loaded into the test cluster; a cluster named by
# KUBECONFIG pulls it instead, so set IMAGE to one it can reach.
IMAGE      ?= kubectl-pprof/profiler:dev
WORKLOADS_IMAGE ?= kubectl-pprof/workloads:test
LDFLAGS    := -s -w -X github.com/kubectl-pprof/kubectl-pprof/pkg/version.Version=$(VERSION)
WORKLOADS  := shop spin initd hog etcdload maze alloc ledger openledger

export CGO_ENABLED ?= 0
# How long `make fuzz` runs each target, and a regular expression of the targets that it runs.
export FUZZTIME ?= 30s
FUZZ       ?=

.PHONY: help
help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the plugin into out/bin
	go build -trimpath -ldflags='$(LDFLAGS)' -o $(BIN)/ ./cmd/kubectl-pprof

.PHONY: image
image: ## assemble the profiler image for both architectures, without Docker
	go run ./profiler-image -version $(VERSION) -tag $(IMAGE) -o $(OUT)

.PHONY: workloads
workloads: ## build the programs that demo and tests profile, and their image
	for w in $(WORKLOADS); do go build -trimpath -ldflags='-s -w' -o $(OUT)/workloads/ ./test/workloads/$$w; done
	go build -trimpath -ldflags=-w -o $(OUT)/workloads/ ./test/workloads/hostile # it looks up its own symbols
	go run ./test/workloads/pack -tag $(WORKLOADS_IMAGE) -o $(OUT)/workloads.tar $(WORKLOADS:%=$(OUT)/workloads/%) $(OUT)/workloads/hostile

.PHONY: cluster
cluster: ## start the test cluster, unless KUBECONFIG names another, and load the images
	test/with-cluster true

.PHONY: cluster-down
cluster-down: ## stop the test cluster
	cd test/cluster && go run . down

.PHONY: demo
demo: build image workloads ## profile a real service in a real cluster; flame graphs in out/demo
	test/with-cluster go run ./test/demo

.PHONY: generate
generate: ## compile the BPF programs again (needs clang-19)
	go generate ./pkg/node/capture/...

# Everything must compile for each of these; only Linux runs the profiler.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: check
check: fmt vet staticcheck tidy unit ## for contributors: all that needs no root, no cluster and no Linux

.PHONY: fmt
fmt:
	@unformatted=$$(gofmt -l cmd pkg test profiler-image); test -z "$$unformatted" || { echo "not gofmt'ed: $$unformatted"; exit 1; }

.PHONY: vet
vet:
	for p in $(PLATFORMS); do GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./...; done

.PHONY: staticcheck
staticcheck:
	@# staticcheck succeeds, with a warning, if it could not list the packages.
	@out=$$(GOOS=linux go tool staticcheck ./... 2>&1) && ! grep -q 'matched no packages' <<<"$$out" || { echo "$$out" >&2; exit 1; }

.PHONY: tidy
tidy:
	go mod tidy -diff

# The unit tests include those that compare generated files with their sources: the BPF objects
# (where clang-19 is installed) and the documented flags. The summary ends with what was left out.
.PHONY: unit
unit:
	go test -timeout 40m -json $$(go list ./... | grep -vE '/test/(browser|e2e|kernels)$$') | go run ./test/summarize

# The race detector does not see what BPF programs do, and it slows the profiler down, so that tests
# which measure CPU time would fail: the packages whose tests attach BPF programs are left out.
.PHONY: race
race: ## test the packages that attach no BPF program with the race detector (needs gcc)
	CGO_ENABLED=1 go test -race -short -timeout 40m $$(go list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./pkg/... | \
	  awk '$$1 ~ /\.test$$/ && !/ github\.com\/cilium\/ebpf\/link( |$$)/ { sub(/\.test$$/, "", $$1); print $$1 }')

.PHONY: test
test: export PPROF_TEST_ALL := 1
test: deps check race build image workloads ## everything: check, tests as root, real kernels, a real cluster
	go test -count=1 ./test/browser
	cd test/cluster && go vet . && PPROF_TEST_ALL=$(if $(KUBECONFIG),,1) go test -count=1 -v -timeout 30m .
	go test -count=1 -timeout 40m ./test/kernels
	test/with-cluster go test -count=1 -timeout 40m ./test/e2e/...

.PHONY: cuts
cuts: deps build image workloads ## cut streams 1,200 times; each profile must arrive whole
	test/with-cluster go test -count=1 -v -timeout 80m -run TestCuts ./test/e2e -exec-cuts 1000 -attach-cuts 200

.PHONY: browser
browser: deps ## test the pictures in chromium; screenshots in out/browser
	go test -count=1 ./test/browser

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s) and print a table
	go run ./test/fuzz '$(FUZZ)'

.PHONY: bench
bench: deps build image workloads ## measure on the cluster; a table and out/bench.json
	test/with-cluster go run ./test/bench

.PHONY: accuracy
accuracy: deps ## compare profiles with runtime/pprof and perf; a table and out/accuracy.json
	go run ./test/accuracy

.PHONY: realprograms
realprograms: build image ## profile Debian's servers and the control plane; a table and out/realprograms.json
	test/with-cluster go run ./test/realprograms $(PROGRAMS)

.PHONY: deps
deps: ## install the Debian packages that the tests need
	test/deps

.PHONY: clean
clean: ## remove what was built
	rm -rf $(OUT)
