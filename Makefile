# What a person types. The work is in the go command and in the scripts of .ci/,
# so that a machine without make loses nothing.

GO       ?= go
# The release to build, such as 0.1.0; none for a development build.
VERSION  ?=
# Further flags of go test, such as -run TestScripts.
TESTFLAGS ?=
# Stripped and free of build ids: two builds of one source are the same bytes.
LDFLAGS  := -s -w -buildid= $(if $(VERSION),-X github.com/o2fa/o2fa.version=$(VERSION))
BINARIES := ./client/o2fa ./daemon/o2fad

.PHONY: help build test demo check clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' Makefile

build: ## build bin/o2fa and bin/o2fad, static
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/ $(BINARIES)

test: ## install what the tests use (O2FA_TEST_INSTALL=0: do not), then run them all
	@GO='$(GO)' .ci/test $(TESTFLAGS)

demo: build ## a vault in a temporary directory, one secret, its code
	@GO='$(GO)' .ci/demo bin

check: ## everything that has to pass before a change goes in
	@.ci/run

clean: ## remove what build made
	rm -rf bin
