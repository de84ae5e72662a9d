"""The robot's side of picking and following, on a ROS graph."""
