"""Amplitude's side: the Export API's client, the archive it answers with, and their errors."""
