"""What runs in this project's own environment: this project, the limit, the naive script."""
