"""The benchmark: this project compared with alternatives, and with the least work possible."""
