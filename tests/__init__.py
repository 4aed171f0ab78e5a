"""The tests: `unit` mirrors the package; the other folders go through several parts at once."""
