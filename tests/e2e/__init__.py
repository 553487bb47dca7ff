"""Tests against a real hass process."""
