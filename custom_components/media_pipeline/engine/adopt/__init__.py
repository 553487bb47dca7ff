"""Adopt: take over what another tool has downloaded, proven by its bytes, without fetching it."""
