"""Where a parallel gripper can take hold of a region: from a mask alone, and with depth a pose."""
