# `make help` says what there is.
SHELL := /bin/bash
ROS_DISTRO ?= kilted
export ROS_DISTRO
SUFFIX := $(if $(filter kilted,$(ROS_DISTRO)),,-$(ROS_DISTRO))
# Another ROS that the caller has sourced would be mixed in through these.
ENTER := unset PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH && . tools/env.sh &&

# Targets are steps for a person; make's own parallelism would run two set-ups at once.
.NOTPARALLEL:
.PHONY: help setup build demo pick pictures test lint clean
help:
	@echo 'make demo    set up what is missing, then run the node on a simulated camera'
	@echo 'make pick    likewise, then a simulated gripper picks up what a sentence means'
	@echo 'make pictures  likewise, then make the pictures of the README'
	@echo 'make test    set up what is missing, then run the tests (ARGS="-k name" narrows)'
	@echo 'make setup   virtual environment, pinned packages, build'
	@echo 'make build   colcon build alone, where set-up is done'
	@echo 'make lint    ruff'
	@echo 'make clean   remove build, install and log folders; the environment stays'
	@echo 'ROS_DISTRO=jazzy picks Jazzy instead of Kilted'

setup:
	@tools/setup.sh

build:
	@tools/build.sh

demo: setup
	@$(ENTER) python3 -m refdiff_ros.cli demo $(ARGS)

pick: setup
	@$(ENTER) python3 -m refdiff_ros.cli pick $(ARGS)

pictures: setup
	@$(ENTER) python3 tools/make_pictures.py $(ARGS)

test: setup
	@$(ENTER) python3 -m pytest -q -n 2 --dist loadfile $(ARGS) </dev/null

lint: setup
	@$(ENTER) python3 -m ruff check .

clean:
	rm -rf build$(SUFFIX) install$(SUFFIX) log$(SUFFIX)
