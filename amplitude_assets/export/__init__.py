"""Download hours from Amplitude, unpack them, and publish their files to the lake."""
