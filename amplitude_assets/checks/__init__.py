"""The asset checks: what must hold of an hour and of the whole history."""
