"""Tests of the Export API client, the archive reader and the landing area."""
