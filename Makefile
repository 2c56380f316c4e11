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
# How long each fuzzer runs.
FUZZTIME ?= 30s
# The date of the manual, in seconds since 1970: that of the source.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# Where install puts things; DESTDIR is put before it, for packages.
PREFIX   ?= /usr/local
DESTDIR  ?=
SHARE    := $(DESTDIR)$(PREFIX)/share
BASH_DIR := $(SHARE)/bash-completion/completions
ZSH_DIR  := $(SHARE)/zsh/site-functions
FISH_DIR := $(SHARE)/fish/vendor_completions.d

.PHONY: help build pages install uninstall test soak fuzz demo check clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' Makefile

build: ## build bin/o2fa and bin/o2fad, static
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/ $(BINARIES)

pages: ## write the manual and the completion scripts into packaging/generated
	rm -rf packaging/generated
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(GO) run -ldflags '$(LDFLAGS)' ./packaging/pages packaging/generated

# What is there already is not built again: root may have no go.
MISSING  := $(if $(and $(wildcard bin/o2fa),$(wildcard bin/o2fad)),,build) $(if $(wildcard packaging/generated/man1/o2fa.1),,pages)

install: $(MISSING) ## put everything under PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(BASH_DIR) $(ZSH_DIR) $(FISH_DIR)
	install -m 755 bin/o2fa bin/o2fad $(DESTDIR)$(PREFIX)/bin
	install -m 644 packaging/generated/man1/* $(SHARE)/man/man1
	install -m 644 packaging/generated/completions/bash/o2fa $(BASH_DIR)
	install -m 644 packaging/generated/completions/zsh/_o2fa $(ZSH_DIR)
	install -m 644 packaging/generated/completions/fish/o2fa.fish $(FISH_DIR)

uninstall: ## remove what install put there; vaults stay ("o2fa reset" removes one)
	rm -f $(DESTDIR)$(PREFIX)/bin/o2fa $(DESTDIR)$(PREFIX)/bin/o2fad
	rm -f $(SHARE)/man/man1/o2fa.1 $(SHARE)/man/man1/o2fa-*.1 $(SHARE)/man/man1/o2fad.1 $(SHARE)/man/man1/o2fad-*.1
	rm -f $(BASH_DIR)/o2fa $(ZSH_DIR)/_o2fa $(FISH_DIR)/o2fa.fish

test: ## install what the tests use (O2FA_TEST_INSTALL=0: do not), then run them all
	@GO='$(GO)' .ci/test $(TESTFLAGS)

# Steps of the soak test.
STEPS    ?= 10000

soak: ## ten thousand random steps with the real programs, some minutes; SEED=N repeats them
	O2FA_SOAK_STEPS=$(STEPS) O2FA_SOAK_SEED=$(SEED) $(GO) test -run '^TestSoak$$' -count=1 -timeout 60m -v .

fuzz: ## run every fuzzer, one after another, each for FUZZTIME (30s)
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

demo: build ## a vault in a temporary directory, one secret, its code
	@GO='$(GO)' .ci/demo bin

check: ## everything that has to pass before a change goes in
	@.ci/run

clean: ## remove what build made
	rm -rf bin packaging/generated
