"""The simulated tabletop: scenes, pictures, truth and a gripper."""
