"""Gzip streams, JSON lines and part files, which all layers above use."""
