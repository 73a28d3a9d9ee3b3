# Two commands do everything on a fresh machine: `make run` and `make test`.
# `make help` lists the rest.

SWIFT ?= swift
RELEASE = --configuration release --static-swift-stdlib
# Swift Testing begins every test at once; a thousand of them on two cores wait longer for each other than peers do.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= $(shell expr 2 '*' $$(nproc 2>/dev/null || echo 2))

.DEFAULT_GOAL := help
.PHONY: help run build test test-unit test-programs check-long bench lint docs format clean setup-run setup-test setup-bench may-check-long p2pd

help:
	@echo "make run         build goop2, start your peer and a sample neighbour, show the viewer's address"
	@echo "make build       build ./goop2 only"
	@echo "make test        every test: unit, simulation, interop, LAN lab, browser, and 'make run' itself"
	@echo "make test-unit   only what 'swift test' runs: no root, no network namespaces; the first build fetches packages"
	@echo "make lint        format, import direction, forbidden constructs"
	@echo "make docs        the library's documentation as pages in .build/docs; fails on links that lead nowhere"
	@echo "make p2pd        build ./goop2-p2pd, the libp2p daemon; ./goop2-p2pd -help has examples"
	@echo "make format      format the Swift sources as lint wants them"
	@echo "make bench       our figures beside the rivals', in one run"
	@echo "make check-long  the address sanitizer, coverage, soak, long interop and fuzzing: many hours"
	@echo "make clean       remove what was built (your peers stay)"

setup-run:
	@scripts/setup run

setup-test: setup-run
	@scripts/setup test

setup-bench: setup-run
	@scripts/setup bench

build: setup-run
	$(SWIFT) build $(RELEASE) --product goop2
	@cp -f "$$($(SWIFT) build $(RELEASE) --show-bin-path)/goop2" goop2.new && mv -f goop2.new goop2
	@echo "built ./goop2"

p2pd: setup-run
	$(SWIFT) build $(RELEASE) --product goop2-p2pd
	@cp -f "$$($(SWIFT) build $(RELEASE) --show-bin-path)/goop2-p2pd" goop2-p2pd.new && mv -f goop2-p2pd.new goop2-p2pd
	@echo "built ./goop2-p2pd"

run: build
	@scripts/run

test-unit: setup-run
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip SimulationTests
	$(SWIFT) test --skip-build --filter SimulationTests

test-programs: setup-test build p2pd
	@scripts/test-programs

test: test-unit docs test-programs

# Before the builds, which take minutes.
may-check-long:
	@scripts/check-long --may-run

check-long: may-check-long setup-test build p2pd
	@scripts/check-long

bench: setup-bench build p2pd
	$(SWIFT) build $(RELEASE) --product bench-connections
	$(SWIFT) build $(RELEASE) --product bench-tables
	$(SWIFT) build $(RELEASE) --product link-shaper
	@bench/run

lint:
	@scripts/lint

# Behind the debug build of test-unit there is nothing left to build.
docs: setup-run
	$(SWIFT) build --target LibP2P
	@SWIFT=$(SWIFT) scripts/docs

format:
	$(SWIFT) format format --in-place --recursive $(shell scripts/lint --formatted)

clean:
	rm -rf .build .build-* goop2 goop2-p2pd
