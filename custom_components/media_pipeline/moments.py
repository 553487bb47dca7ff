"""Times of the engine as Home Assistant wants them."""

from datetime import UTC, datetime


def moment(milliseconds: int | None) -> datetime | None:
    """A time of the engine as Home Assistant wants it."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def iso(milliseconds: int | None) -> str | None:
    """A time of the engine as ISO 8601 text in UTC."""
    when = moment(milliseconds)
    return None if when is None else when.isoformat()
