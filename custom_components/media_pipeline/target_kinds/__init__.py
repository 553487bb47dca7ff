"""The kinds of targets as Home Assistant sees them: what is asked, and what the engine is told."""
