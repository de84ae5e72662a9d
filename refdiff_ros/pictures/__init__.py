"""Pictures in and out: files, and answers drawn over the image."""
