"""Privacy settings: mask fields, and leave out the lines of forgotten people."""
