"""The ROS side of the pick: action server, client and robot."""
