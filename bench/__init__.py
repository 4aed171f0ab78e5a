"""The benchmark: this project beside what people would use instead, and beside the limit."""
