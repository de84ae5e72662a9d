"""Recorded bags as evaluation data: reading, labels, recording; ROS need not be installed."""
