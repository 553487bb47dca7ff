"""Alembic revisions of the catalog."""
