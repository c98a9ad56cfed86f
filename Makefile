# Tailrace. `make help` lists the targets. Everything a target needs is built or fetched once into .cache/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build run demo-search test-search test fuzz test-jdbc verify format generate bench bench-search bench-failover scale chaos bench-wire clean

# The version that the binary tells: a tag, or the commit. A plugin has a version of its own.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GO_BUILD = CGO_ENABLED=0 go build -trimpath -ldflags '-s -w $(1)'
PLUGINS = $(patsubst %/main.go,./%,$(wildcard plugins/*/main.go))

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/tailrace and every plugin into bin/plugins, nothing else
	@$(call GO_BUILD,-X main.version=$(VERSION)) -o bin/tailrace ./host/cmd/tailrace
	@$(call GO_BUILD) -o bin/plugins/ $(PLUGINS)

# The demo's file: FILE=…, otherwise this project's own log.
run: PLUGINS = ./plugins/file-source ./plugins/file-sink
run: build ## Run a file through Kafka and out again: FILE=… names it, EXIT=1 ends when all has arrived
	@rm -rf .run/dev && mkdir -p .run
	@$(if $(FILE),,git log --stat > .run/git.log 2>/dev/null || cp go.sum .run/git.log)
	@exec bin/tailrace dev --data .run/dev --demo "$(or $(FILE),.run/git.log)" $(if $(filter-out 0,$(EXIT)),--exit)

demo-search: PLUGINS = ./plugins/jdbc-source ./plugins/elasticsearch-sink
demo-search: build ## Take a table of PostgreSQL through Kafka into OpenSearch: ROWS=… how many, EXIT=1 ends when all have arrived
	@tools/setup
	@exec go run ./test/demosearch $(if $(ROWS),-rows $(ROWS)) $(if $(filter-out 0,$(EXIT)),-exit)

test: build ## Set up everything and run every test, with a real Kafka (TESTARGS="./host/task -run Drain" for some)
	@tools/test $(TESTARGS)

test-jdbc: build ## Take 1,000,000 rows of each database through jdbc-source, with restarts and kills (minutes)
	@TAILRACE_JDBC_ROWS=1000000 go test ./test/jdbc -v -timeout 45m

fuzz: ## Fuzz the decoders one after another, FUZZTIME each (default 10m)
	@tools/fuzz

test-search: build ## Take 1,000,000 documents into OpenSearch and into Elasticsearch, with kills of plugin and node (minutes)
	@TEST_TIMEOUT=90m TEST_FORMAT=standard-verbose tools/test ./test/e2e -v -run DocumentsSurvive -args -long

verify: ## Check format, lint, protocol compatibility, generated code and go.mod
	@tools/verify

format: ## Format the Go and protocol files
	@tools/format

generate: ## Generate gen/ from the protocol files in proto/
	@tools/generate

scale: ## Run 1,000 connectors with 5,000 tasks, and 200 with processes of their own, on three workers; updates docs/benchmarks.md (minutes)
	@go test ./test/scale -v -count=1 -timeout 30m -args -connectors 1000 -tasks 5 -own 200 -idle 10s -page $(CURDIR)/docs/benchmarks.md

chaos: build ## Break a cluster at random for ten minutes (DURATION=…, SEED=… for the same faults again), then the fault tests in their long form (test-search has that of documents)
	@go test ./test/chaos -v -run NothingIsLost -timeout 4h -args -duration $(or $(DURATION),10m) -seed $(or $(SEED),0)
	@TEST_TIMEOUT=2h TEST_FORMAT=standard-verbose tools/test ./test/e2e -v -run 'Killed|GoesAway' -args -long

fuzz-api: build ## Ten minutes of random and hostile requests to the REST API (TAILRACE_FUZZ_SEED repeats a run)
	@TAILRACE_FUZZ_FOR=$${TAILRACE_FUZZ_FOR:-10m} go test ./test/edge -run TestTheAPISurvivesFuzzing -v -count=1 -timeout 30m

bench: build ## Compare with Kafka Connect 4.1 on one broker and update docs/benchmarks.md (BENCHARGS=-short for a quick look)
	@go run ./test/bench $(BENCHARGS)
	@go run ./test/benchconvert $(filter -short,$(BENCHARGS))
	@$(if $(BENCHARGS),,TAILRACE_BENCH_DOC=$(CURDIR)/docs/benchmarks.md) go test ./test/jdbc -run '^$$' -bench Rates -benchtime 1x -timeout 30m
	@go run ./test/benchsearch $(filter -short,$(BENCHARGS))

bench-search: build ## Compare elasticsearch-sink with bare loops of its clients and update docs/benchmarks.md (BENCHARGS=-short)
	@go run ./test/benchsearch $(BENCHARGS)

bench-failover: build ## Measure how long the work of a worker that goes stands still, beside Kafka Connect, and update docs/benchmarks.md (eight minutes)
	@go run ./test/benchfailover $(BENCHARGS)

bench-wire: ## Measure what a record costs between host and plugin, and update docs/protocol.md
	@go run ./test/benchwire -doc docs/protocol.md

clean: ## Remove what was built; what was fetched stays in .cache
	rm -rf bin .run
