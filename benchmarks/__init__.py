"""Comparisons with peers and with an idle Home Assistant; see README.md. Run by scripts/bench."""
