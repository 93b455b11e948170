# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything runs from any folder; all it makes lies in .venv, .cache and dist.
#   make PYTHON=/path/to/python3.13 test    another interpreter than the one that it finds

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The newest ansible-core needs one of these; the demo runs on a Python 3.11, too, with an older one.
PYTHONS := 3.12 3.13 3.14
PYTHON ?= $(shell python3 .ci/interpreters.py $(PYTHONS) 2>/dev/null || echo python3)
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --quiet --disable-pip-version-check
LIVE := .cache/live
LINK := $(LIVE)/ansible_collections/gpops/toolkit

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(LIVE)
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.cache/hypothesis
# A checkout that another user owns, as in many CI containers, is still ours to read.
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)
# A home that cannot be written is replaced by one here.
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export HOME := $(CURDIR)/.cache/home
endif

LINTERS := ruff mypy codespell reuse yamllint shellcheck ansible-lint changelog docs docs-site importer nox
.PHONY: help test static demo venv lint $(LINTERS) sanity sanity-all unit smoke contract integration molecule bench bench-locks integration-all \
    torture torture-short dist pages constraints locks release clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

test:  ## everything that CI checks
	@$(MAKE) -j2 -Otarget -k static
	@$(MAKE) unit smoke contract integration molecule torture-short

demo: .venv/demo.stamp | $(LINK)  ## see it work, without a cluster
	@PYTHONPATH="$(CURDIR)/tests" $(PY) tests/demo $(PROFILE)

# The environment

venv: .venv/checks.stamp | $(LINK)  ## the environment for all of the below

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'Python 3.12 or newer is needed, for the demo 3.11: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	    { rm -rf .venv; echo 'That Python cannot make environments; on Debian: apt install python3-venv' >&2; exit 1; }

.venv/demo.stamp: tests/demo/lock.txt | .venv/pyvenv.cfg
	@echo 'Installing what the demo needs'
	@$(PIP) --require-hashes --requirement tests/demo/lock.txt
	@touch $@

.venv/checks.stamp: tests/lock.txt .venv/demo.stamp
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo 'The checks need Python 3.12 or newer, and' \
	    '.venv has an older one: make clean, then make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }
	@echo 'Installing what the checks need'
	@$(PIP) --require-hashes --requirement tests/lock.txt
	@touch $@

# The checkout under the name by which Ansible, Python and mypy know it.
$(LINK):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@

pages: venv  ## write the pages of the documentation that are made from code and from what is sent
	@cd tests && PYTHONPATH="$(CURDIR)/$(LIVE)" "$(CURDIR)/$(PY)" -m pages

# What pip installs from are the locks, which have the hashes. ansible-core is not among the constraints: which one it is
# depends on the Python.
constraints: | .venv/pyvenv.cfg  ## pin anew what the requirements need in turn, with the hashes of all
	@$(PY) -m venv --clear .cache/pins
	@.cache/pins/bin/python -m pip install --quiet --quiet --requirement tests/requirements.txt
	@{ sed '/^$$/q' Makefile; echo '# Written by "make constraints".'; \
	    .cache/pins/bin/python -m pip freeze --exclude pip --exclude setuptools --exclude ansible-core; } \
	    > .cache/constraints.txt
	@mv .cache/constraints.txt tests/constraints.txt
	@$(MAKE) locks

locks: | .venv/pyvenv.cfg  ## the hashes alone, of the versions that are pinned
	@$(PY) -m venv --clear .cache/pins
	@.cache/pins/bin/python -m pip install --quiet --quiet uv==0.13.9
	@$(PY) .ci/locks.py .cache/pins/bin/uv

# The checks

static: sanity lint

lint: $(LINTERS)  ## ruff mypy codespell reuse yamllint shellcheck ansible-lint changelog docs docs-site importer nox

ruff: venv
	ruff check .
	ruff format --check .

mypy: venv
	mypy

codespell: venv
	codespell

reuse: venv
	reuse lint --quiet || reuse lint

yamllint: venv
	yamllint --strict .

shellcheck: venv
	shellcheck -x .ci/run .ci/chromium .ci/pgbouncer

ansible-lint: venv
	ansible-lint --profile production --offline

changelog: venv
	antsibull-changelog lint

# What antsibull-nox has beyond the above.  It is installed by itself: it cannot share the attrs of galaxy-importer.
nox: venv .cache/nox/complete  ## checks of antsibull-nox
	.cache/nox/bin/nox --sessions lint docs-check license-check extra-checks

.cache/nox/complete: tests/nox/lock.txt | .venv/pyvenv.cfg
	@$(PY) -m venv --clear .cache/nox
	@.cache/nox/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Once more if it fails: the tool writes the name of its temporary folder into RST, and one name of 37 ends with an
# underscore, which makes a reference of it.
LINT_DOCS := antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=all --check-extra-docs-refs .
docs: venv
	$(LINT_DOCS) || $(LINT_DOCS)

docs-site: venv  ## the documentation as a site, in .cache/site/html; a warning is a failure
	@rm -rf .cache/site
	@mkdir -p -m 755 .cache/site/rst
	antsibull-docs --config-file docs/antsibull-docs.cfg collection --cleanup everything --fail-on-error --use-current \
	    --squash-hierarchy --dest-dir .cache/site/rst gpops.toolkit
	@cp -R docs/images .cache/site/rst
	$(PY) -m sphinx -M html .cache/site/rst .cache/site -c docs -n -W -q --keep-going

importer: dist  ## the check of Ansible Galaxy, a warning being a failure
	@mkdir -p .cache/importer
	cd .cache/importer && "$(CURDIR)/$(PY)" -m galaxy_importer.main ../../dist/gpops-toolkit-*.tar.gz | tee log
	@! grep -E '^(WARNING|ERROR)' .cache/importer/log

sanity: venv  ## ansible-test sanity, with all Pythons of this machine, and the main part with other ansible-core
	$(PY) .ci/sanity.py
	$(PY) .ci/cores.py others

sanity-all: venv  ## all of it with every ansible-core
	$(PY) .ci/cores.py all

unit: venv  ## tests without a server
	$(PY) -m pytest tests/unit

smoke: venv  ## real playbooks with every ansible-core; CORES='2.21 2.22' for some
	$(PY) tests/smoke $(CORES)

contract: venv  ## the sandbox behaves as the recorded engines
	$(PY) -m pytest tests/sandbox/tests tests/contract

# Side by side on embedded engines, of which each process has its own; one after the other on a real cluster.
integration: venv  ## modules, roles and playbooks against the sandbox
	$(PY) -m pytest tests/integration $(if $(GPOPS_TEST_HOST),,--numprocesses=3 --dist=loadfile)

integration-all: venv  ## the same both ways on each engine, by night
	@GPOPS_TEST_WAYS=all $(MAKE) integration

molecule: venv  ## the scenarios of the roles; MOLECULE_GPOPS_PROFILE=gp7 for another engine
	molecule test --all

# The environment of the benchmark is its own: it has the collection that we compare with.
.cache/bench/stamp: tests/bench/requirements.txt | .venv/pyvenv.cfg
	@echo 'Installing what the benchmark needs'
	@$(PY) -m venv .cache/bench
	@.cache/bench/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
	    --constraint tests/constraints.txt --requirement $<
	@touch $@

bench: venv .cache/bench/stamp  ## measure against community.postgresql; writes docs/benchmarks.md
	$(PY) tests/bench $(CASES)

# By hand or by night: it takes minutes, and its figures are worth something on an idle machine only.
bench-locks: venv  ## measure beside big lock tables, by hand or by night; writes docs/benchmarks_locks.md
	PYTHONPATH="$(CURDIR)/tests:$(CURDIR)/$(LIVE)" $(PY) -m bench.locks $(FAMILIES)

CUTS := tests/torture/test_cut_connections.py

torture-short: venv  ## faults, wrong hits, hostile input and load, with small numbers
	$(PY) -m pytest tests/torture

torture: venv  ## the same with large numbers, and the report docs/torture.md; it takes an hour
# What is cut mostly waits; what measures runs alone.
	@GPOPS_TORTURE=full $(PY) -m pytest -n 3 $(CUTS)
	@GPOPS_TORTURE=full $(PY) -m pytest tests/torture --ignore $(CUTS)
	@$(PY) tests/torture/report.py

dist: venv  ## the tarball for Galaxy
	@rm -rf dist
	cd "$$($(PY) .ci/export.py .cache/dist)" && ansible-galaxy collection build --output-path "$(CURDIR)/dist"

release: venv  ## write the changelog of the version in galaxy.yml from its fragments, and check the tarball
	antsibull-changelog release
	@$(MAKE) changelog importer

clean:  ## remove all that was made
	rm -rf .ansible .cache .venv dist tests/output
