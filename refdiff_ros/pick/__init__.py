"""From a referring expression to the object in the gripper."""
