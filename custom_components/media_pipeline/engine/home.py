"""What the engine asks of the home it runs in. Home Assistant's side answers, on its own loop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from .config import TargetConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file to hand over, and what is known of the photo or video that it belongs to."""

    path: Path
    """In the archive; to be read, never to be changed."""
    filename: str
    """As the source calls it, with the suffix of this very file."""
    kind: str
    """``photo``, ``video`` or ``other``."""
    role: str
    """What the file is to its asset: ``original``, ``edited``, ``compressed``, ..."""
    size: int
    sha256: str
    sha1: str
    asset_id: int
    library: str
    captured: int | None = None
    """Milliseconds since 1970."""
    tz_offset: int | None = None
    """Seconds east of UTC where it was captured."""
    albums: tuple[str, ...] = ()
    favorite: bool = False
    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()


class Home(Protocol):
    """May be called from any loop."""

    async def run_action(self, config: TargetConfig, item: Item) -> None:
        """Call the target's action with the data that it makes of ``item``; wait for its end.

        Raises ActionMissing, ActionTemplateFailed, ActionRefused, ActionFailed,
        ActionPathNotAllowed, and OutcomeUnknown when it did not end in time.
        """
        ...

    async def check_action(self, config: TargetConfig) -> None:
        """Raise ActionMissing when there is no such action now."""
        ...

    async def may_send(self, config: TargetConfig) -> None:
        """Raise a TargetWaiting when the conditions that the owner set are not met now."""
        ...

    async def open_photos(self, config: TargetConfig) -> None:
        """Have the phone open Google Photos. Never raises: it is a nudge."""
        ...


@runtime_checkable
class AsksHome(Protocol):
    """A target that asks its home; it is given one before it is opened."""

    home: Home | None
