"""The simulated product: its users, their visits, and the events that they send."""
