"""Read, validate and unpack the zips that the Export API returns."""
