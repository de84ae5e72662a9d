"""Long runs kept in folders, compared with each other and with the paper's tables."""
