"""The managed node, and what of a ROS graph the package needs."""
