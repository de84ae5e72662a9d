# `make help` says what there is.
SHELL := /bin/bash
ROS_DISTRO ?= kilted
export ROS_DISTRO
SUFFIX := $(if $(filter kilted,$(ROS_DISTRO)),,-$(ROS_DISTRO))

.PHONY: build
build:
	@tools/build.sh
