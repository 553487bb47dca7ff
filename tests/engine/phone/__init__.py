"""Tests of a phone as a target: a real SSH server with programs that stand for Termux's."""
