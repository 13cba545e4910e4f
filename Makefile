# `make help` lists everything that can be asked for.

VENV := .venv
KERNELS := 5.10 6.1 6.12
LSM_KERNELS := 6.1 6.12
PYTEST := $(VENV)/bin/pytest
# Tests mostly wait: four files at a time keep two cores busy. The order is that of `testpaths`: long ones first.
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder
C_SOURCES := $(wildcard bpf/*.[ch] tests/conformance/*/*.[ch] tests/load/*.c bench/*.c)
SHELL_SCRIPTS := $(shell grep -lrE "^\#!/(bin/sh|usr/bin/env bash)" .ci scripts packaging vagrant)

# Tests start hundreds of Pythons: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup test test-unit test-bpf test-netns test-e2e test-long test-fault test-load conformance demo demo-down
.PHONY: lint format proto lock deb clean kernels on-kernel test-kernels conformance-kernels bench bench-fleet bench-log

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  %-12s %s\n", $$1, $$2 }'

setup: ## install what is missing: system packages by apt, the rest locked into .venv
	@scripts/setup

test: setup ## every test, on the real kernel (root); ARGS="-k name" passes options to pytest
	$(PYTEST) $(SIDE_BY_SIDE) $(ARGS)

test-unit: setup ## tests that need neither root nor the kernel
	$(PYTEST) tests/unit $(ARGS)

test-bpf: setup ## tests of the kernel programs
	$(PYTEST) tests/bpf $(ARGS)

test-netns: setup ## tests in network namespaces
	$(PYTEST) tests/netns $(ARGS)

test-e2e: setup ## tests of agent, controller and CLI together
	$(PYTEST) tests/e2e $(ARGS)

test-long: ## what waits for things to expire, and a controller in an attacker's hands; not part of `make test`
	@scripts/setup libfaketime
	$(PYTEST) -m long $(ARGS)

test-fault: ## kills, upgrades and failing disks at random moments, for an hour; not part of `make test`
	@scripts/setup strace
	$(PYTEST) -n 2 --dist loadfile tests/fault $(ARGS)

conformance: ## every way out under Landfast and its rivals, into docs/conformance.md; ARGS="--only 'udp*'" for some
	@scripts/setup gcc libc6-dev iproute2 nftables
	$(VENV)/bin/python -m tests.conformance $(ARGS)

test-load: ## a minute of refusals as fast as the machine can (DURATION=60); not part of `make test`
	@scripts/setup gcc libc6-dev
	$(PYTEST) tests/load $(ARGS)

demo: setup ## the whole story in network namespaces, each step checked; KEEP=1 leaves it running
	@$(VENV)/bin/python -m demo $(if $(KEEP),--keep)

demo-down: setup ## remove what `make demo KEEP=1` left running
	@$(VENV)/bin/python -m demo --down

bench: ## what it costs, beside nftables and ipset, as ratios; ARGS="--quick" is rough, ARGS="--write" documents it
	@scripts/setup nftables iptables ipset gcc libc6-dev
	@$(VENV)/bin/python -m bench $(ARGS)

bench-fleet: setup ## how soon 1,000 simulated hosts prove a policy, beside a bare broadcast of the same bytes
	@$(VENV)/bin/python -m bench.fleet $(ARGS)

bench-log: setup ## what the log costs, beside a server that keeps nothing, and how soon it proves; ARGS="--quick" is rough
	@$(VENV)/bin/python -m bench.log $(ARGS)

lint: ## formatting, lint, types, import rules, wire contract, generated code, shell scripts
	@scripts/setup shellcheck
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy -p tests.testbed -p tests.conformance -p demo -p bench
	$(VENV)/bin/lint-imports
	cd proto && ../$(VENV)/bin/buf lint
	scripts/check-proto
	$(VENV)/bin/clang-format --dry-run --Werror $(C_SOURCES)
	shellcheck $(SHELL_SCRIPTS)

format: setup ## rewrite Python and C sources in the project's format
	$(VENV)/bin/ruff check --fix-only
	$(VENV)/bin/ruff format
	$(VENV)/bin/clang-format -i $(C_SOURCES)

kernels: ## download other Debian kernels, to run in an emulated machine (not installed; 1 GB)
	@scripts/setup qemu-system-x86 busybox-static cpio kmod xz-utils zstd
	scripts/vm/get-kernels $(KERNELS)

on-kernel: setup kernels ## run a command on another kernel: make on-kernel KERNEL=6.1 CMD='uname -a'
	scripts/vm/run $(KERNEL) "$(CMD)"

test-kernels: setup kernels ## tests of what other kernels have or lack (BPF LSM), in emulated machines
	scripts/vm/run 5.10 "$(PYTEST) --timeout=900 tests/vm/test_too_old.py $(ARGS)"
	for kernel in $(LSM_KERNELS); do \
		TIMEOUT=3600 scripts/vm/run $$kernel "$(PYTEST) --timeout=1800 tests/vm/test_lsm.py $(ARGS)" || exit; done

conformance-kernels: setup kernels ## make conformance under other kernels: takes hours, goes on where it stopped
	@scripts/setup gcc libc6-dev iproute2 nftables
	scripts/vm/conformance $(LSM_KERNELS) -- $(ARGS)

proto: setup ## regenerate the Python code of proto/landfast/v1
	scripts/generate-proto

lock: ## resolve the dependencies of pyproject.toml anew, with hashes
	scripts/lock

deb: setup ## build the Debian packages into dist/
	packaging/build-deb

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
