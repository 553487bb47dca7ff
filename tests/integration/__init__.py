"""Tests inside the Home Assistant harness."""
