"""Tests of the targets, against real file systems and real SSH servers."""
