# kubectl pprof: see `make help`. Two targets do everything on a fresh machine with Go, root and
# Debian packages: `make demo` and `make test`.
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
WORKLOADS  := shop spin initd hog etcdload maze hostile alloc ledger openledger

export CGO_ENABLED ?= 0

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
	go run ./test/workloads/pack -tag $(WORKLOADS_IMAGE) -o $(OUT)/workloads.tar $(WORKLOADS:%=$(OUT)/workloads/%)

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

.PHONY: lint
lint: ## gofmt, vet and staticcheck
	@unformatted=$$(gofmt -l cmd pkg test profiler-image); test -z "$$unformatted" || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

.PHONY: test
test: deps lint build image workloads ## everything: lint, unit, kernel and cluster tests
	PPROF_TEST_ALL=1 go test -timeout 20m ./cmd/... ./pkg/... ./profiler-image/... ./test/workloads/... ./test/stacks/...
	go test -count=1 ./test/browser
	cd test/cluster && go vet . && PPROF_TEST_ALL=$(if $(KUBECONFIG),,1) go test -count=1 -v -timeout 30m .
	PPROF_TEST_ALL=1 go test -count=1 -timeout 20m ./test/kernels
	test/with-cluster go test -count=1 -timeout 40m ./test/e2e/...

.PHONY: cuts
cuts: deps build image workloads ## cut streams 1,200 times; each profile must arrive whole
	test/with-cluster go test -count=1 -v -timeout 80m -run TestCuts ./test/e2e -exec-cuts 1000 -attach-cuts 200

.PHONY: browser
browser: deps ## test the pictures in chromium; screenshots in out/browser
	go test -count=1 ./test/browser

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
