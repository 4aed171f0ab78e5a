"""The contenders in this project's environment: this project, the limit, the naive script."""
