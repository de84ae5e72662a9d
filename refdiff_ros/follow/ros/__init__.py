"""The node that follows, on a ROS graph."""
