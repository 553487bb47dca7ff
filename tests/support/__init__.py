"""Real and stand-in servers and small helpers that tests and the demo share."""
