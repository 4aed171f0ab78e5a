"""Request hours from Amplitude's Export API."""
