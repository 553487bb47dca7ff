"""Tests of Media Pipeline."""
