"""The object store: how keys are laid out, what a manifest says, and where bytes are kept."""
