# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help build test race lint fuzz bench interop loadgen pgo check

FUZZTIME ?= 10s
DURATION ?= 10s
PKG ?= ./...
SIM := $(wildcard internal/sim/cmd)

help: ## list the targets
	@awk -v sim='$(SIM)' -F ':.*## ' '/^[a-z]+:.*## / && ($$1 != "sim" || sim) { printf "make %-9s %s\n", $$1, $$2 }' Makefile

build: ## build every package and command; the commands go to bin/
	go build ./...
	go build -o bin/ ./loadgen ./cmd/...

test: ## go test ./..., and what could not be run here
	go test ./...
	@go test -v -run '^$$' ./internal/interop | grep '^interop:' || true

race: ## the tests under the race detector
	go test -race ./...

lint: ## gofmt, go vet, golangci-lint
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	PATH="$(CURDIR)/bin:$$(go env GOPATH)/bin:$$PATH" golangci-lint run ./...

fuzz: ## fuzz one target: make fuzz PKG=./codec/ilp TARGET=FuzzPrepare FUZZTIME=5m
	go test -run '^$$' -fuzz '^$(TARGET)$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $(PKG)

bench: $(if $(shell command -v npm),internal/interop/peers/node_modules/.package-lock.json) ## write BENCHMARKS.md anew: make bench ONLY=crypto COUNT=7 LARGE=1
	go run ./internal/bench $(if $(ONLY),-only $(ONLY)) $(if $(COUNT),-count $(COUNT)) $(if $(LARGE),-large) $(if $(QUICK),-quick)

interop: internal/interop/peers/node_modules/.package-lock.json ## the matrix against the JavaScript stack
	MILLRACE_REQUIRE_INTEROP=1 go test -count=1 -v ./internal/interop

internal/interop/peers/node_modules/.package-lock.json: internal/interop/peers/package-lock.json
	cd internal/interop/peers && npm ci --ignore-scripts --no-audit --no-fund

loadgen: ## the load generator: make loadgen DURATION=30s
	go run ./loadgen -duration $(DURATION)

pgo: ## refresh default.pgo, the profile that guides the compiler, from loadgen: a closed loop and an open one
	go run -trimpath ./loadgen -processes 2 -duration 60s -profile profiles/closed.pprof
	go run -trimpath ./loadgen -processes 2 -duration 45s -rate 1600000 -profile profiles/open.pprof
	go tool pprof -proto profiles/closed.pprof profiles/open.pprof > profiles/default.pgo
	rm profiles/closed.pprof profiles/open.pprof
	cp profiles/default.pgo loadgen/
	cp profiles/default.pgo cmd/millrace/

ifneq ($(SIM),)
.PHONY: sim
sim: ## the simulation; SEED=0x... replays a run
	go run ./internal/sim/cmd $(if $(SEED),-seed=$(SEED))
endif

check: ## everything that CI runs
	.ci/run
