# `make help` says what there is.
SHELL := /bin/bash
ROS_DISTRO ?= kilted
export ROS_DISTRO
SUFFIX := $(if $(filter kilted,$(ROS_DISTRO)),,-$(ROS_DISTRO))
# Another ROS that the caller has sourced would be mixed in through these. With the last one set,
# every process of the tests would compile the same files anew.
ENTER := unset PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH \
  PYTHONDONTWRITEBYTECODE && . tools/env.sh &&

# Targets are steps for a person; make's own parallelism would run two set-ups at once.
.NOTPARALLEL:
.PHONY: help setup build demo follow pick pictures test repeat lint coverage clean
help:
	@echo 'make demo    set up what is missing, then run the node on a simulated camera'
	@echo 'make pick    likewise, then a simulated gripper picks up what a sentence means'
	@echo 'make follow  likewise, then it follows a whole order, and asks where it must'
	@echo 'make pictures  likewise, then make the pictures of the README'
	@echo 'make test    set up what is missing, then run the tests (ARGS="-k name" narrows)'
	@echo 'make repeat  likewise, then run the tests RUNS=10 times, BUSY=0 processes beside them'
	@echo 'make setup   virtual environment, pinned packages, build'
	@echo 'make build   colcon build alone, where set-up is done'
	@echo 'make lint    ruff, the direction of imports, mypy (part of make test)'
	@echo 'make coverage  the tests, and the ten least covered files'
	@echo 'make clean   remove build, install and log folders; the environment stays'
	@echo 'ROS_DISTRO=jazzy picks Jazzy instead of Kilted'

# Only the tests need a browser.
demo pick pictures lint: export REFDIFF_BROWSER := no

setup:
	@tools/setup.sh

build:
	@tools/build.sh

demo: setup
	@$(ENTER) python3 -m refdiff_ros.cli demo $(ARGS)

follow: setup
	@$(ENTER) python3 -m refdiff_ros.cli follow $(ARGS)

pick: setup
	@$(ENTER) python3 -m refdiff_ros.cli pick $(ARGS)

pictures: setup
	@$(ENTER) python3 tools/make_pictures.py $(ARGS)

# The order of files is that of test/conftest.py. Its status is pytest's; make itself then ends
# with 2 for any other than 0. One worker more than a small machine has cores: many tests wait.
WORKERS ?= 3
test: setup
	@$(ENTER) python3 -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  $(ARGS) </dev/null

# RUNS times in random order of files, BUSY processes beside them; see tools/repeat_tests.py.
RUNS ?= 10
BUSY ?= 0
repeat: setup
	@$(ENTER) python3 tools/repeat_tests.py $(RUNS) --busy $(BUSY) -- $(ARGS)

lint: setup
	@$(ENTER) python3 -m ruff check . && lint-imports && python3 -m mypy

coverage: setup
	@$(ENTER) tools/coverage.sh $(ARGS)

clean:
	rm -rf build$(SUFFIX) install$(SUFFIX) log$(SUFFIX)
