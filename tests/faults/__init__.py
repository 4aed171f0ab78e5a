"""Failures and their handling: no failure loses, duplicates or hides an event."""
