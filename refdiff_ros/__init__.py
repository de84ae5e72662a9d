"""Ref-Diff for robots: what a sentence refers to in a camera picture, and where to grip it."""

# Nothing of ours is imported here, so that a package which only uses the messages needs no torch.
from pkgutil import extend_path

# The generated messages lie in the built workspace. This joins them to the modules where both are
# on the path in different places: Python started in the checkout, or a pip install beside ROS.
__path__ = extend_path(__path__, __name__)
