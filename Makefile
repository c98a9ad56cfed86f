# Tailrace. `make help` lists the targets. Everything a target needs is built or fetched once into .cache/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build generate clean

# The version stands in the binary and in every plugin: a tag, or the commit.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GO_BUILD = go build -trimpath -ldflags '-s -w -X github.com/tailrace/tailrace/sdk/go.buildVersion=$(VERSION)'

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/tailrace and every plugin into bin/plugins, nothing else
	$(GO_BUILD) -o bin/tailrace ./host/cmd/tailrace
	$(GO_BUILD) -o bin/plugins/ ./plugins/...

generate: ## Generate gen/ from the protocol files in proto/
	@tools/generate

clean: ## Remove what was built; the downloads under .cache stay
	rm -rf bin .run
