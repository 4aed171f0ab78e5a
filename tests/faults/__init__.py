"""What can go wrong, what happens then, and that no event is lost, doubled or hidden by it."""
