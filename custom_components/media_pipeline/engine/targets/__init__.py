"""Places that copies are delivered to."""
