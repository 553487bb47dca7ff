"""Faults on a share of all answers, until everything is archived."""
