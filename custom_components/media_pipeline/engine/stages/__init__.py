"""What a run does: one module per stage."""
