"""Faults that the emulator injects on request."""
