# SPDX-License-Identifier: GPL-2.0
# The only door: 'make help' lists what there is.

TARGET ?= 6.1
KERNEL_SRC ?=
SIGNOFF ?=
FS ?=
comma := ,
export TARGET KERNEL_SRC SIGNOFF
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

H := harness
targets := $(notdir $(wildcard $(H)/targets/*))

ifneq ($(filter $(TARGET),$(targets)),$(TARGET))
$(error no target '$(TARGET)'; there is: $(targets))
endif

# Without a source of its kernel, a target's series is tested as text.
package := $(shell sed -n 's/^SOURCE_PACKAGE=//p' $(H)/targets/$(TARGET))
testable := $(if $(KERNEL_SRC)$(package),tree,deps)

.DEFAULT_GOAL := help
.PHONY: help deps base series tree refresh apply build boot run fsmatrix test \
	test-full kunit selftest check clean
# The steps share one build directory: make's -j must not run two at once.
.NOTPARALLEL:

# Some of the tools for file systems bring servers along, and a lot of packages.
run build boot kunit selftest check: export NO_FS_TOOLS := y

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12
	@echo
	@echo 'TARGET=$(TARGET)   of: $(targets)'
	@echo 'KERNEL_SRC= names a source tree or tarball, in place of the package;'
	@echo '            a target without a package is only tested as text without it'
	@echo 'SIGNOFF=1   adds your Signed-off-by, with series and apply'

deps: ## install the Debian packages that are missing
	@$(H)/deps.sh

base: deps
	@$(H)/source.sh

run: tree ## build both kernels, run the reproducer, print the table
	@$(H)/run.py

fsmatrix: tree ## direct I/O on every file system, or on FS=ext4,xfs: a table
	@$(H)/fsmatrix.py $(subst $(comma), ,$(FS))

test: $(testable) ## everything that proves the series
	@$(H)/test.py

test-full: $(testable) ## and what does not fit into the time of 'test'
	@$(H)/test.py --full

kunit: tree ## the kernel's own tests: KUnit, or what a target has for it
	@$(H)/test.py kunit

selftest: tree ## the selftests on the patched kernels
	@$(H)/test.py selftest

check: base ## static checks alone
	@$(H)/check.sh

series: ## join patches and added files into build/<target>/series/
	@command -v python3 >/dev/null || $(H)/deps.sh python3
	@$(H)/series.py $(if $(SIGNOFF),--signoff)

tree: base ## base and series as a git repository, build/<target>/linux
	@$(H)/tree.py

refresh: ## write the tree's commits back to patches/ and added files
	@$(H)/refresh.py

apply: series ## apply the series to the kernel tree KDIR=...
	@$(H)/apply.py "$(KDIR)"

build: tree ## the patched kernel and the guest
	@$(H)/build.sh patched

boot: build ## an interactive shell in the guest, on the patched kernel
	@$(H)/boot.py --shell patched

clean: ## remove what was built for the target
	@test ! -d build/$(TARGET)/linux || $(H)/tree.py --settled
	rm -rf build/$(TARGET) build/log build/pycache
