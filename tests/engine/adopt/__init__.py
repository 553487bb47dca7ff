"""Adopting trees that other tools downloaded."""
