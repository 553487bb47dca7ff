"""A target's rules: what of the library it receives, where that lies and how it is proven."""

from dataclasses import dataclass
from enum import StrEnum

from .layout import DEFAULT_LAYOUT
from .model import Kind


class WhenDeleted(StrEnum):
    """What becomes of our copies of what its owner deleted at the source."""

    KEEP = "keep"
    ARCHIVE = "archive"
    """They move to ``.archive/`` at the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRules:
    """What is not said excludes nothing."""

    kinds: tuple[Kind, ...] = ()
    """Empty is every kind; so with all that follow."""
    albums: tuple[str, ...] = ()
    """Names of albums, or of folders of albums (all in them), whatever their case."""
    libraries: tuple[str, ...] = ()
    favorites: bool = False
    """Nothing but favorites."""
    newest_days: int = 0
    """Nothing captured longer ago; 0 is no limit. What was sent stays."""
    captured_from: int | None = None
    """Nothing captured before, in milliseconds since 1970 (UTC)."""
    layout: str = DEFAULT_LAYOUT
    """Where new copies lie, see ``layout``; those already sent stay where they are."""
    when_deleted: WhenDeleted = WhenDeleted.KEEP
    keep_days: int = 30
    """Days after we noticed a deletion before ``when_deleted`` is done; at least one."""
    delete_days: int = 0
    """Copies that no longer belong there move aside, and are deleted so many days later; 0 never.

    With it ``when_deleted`` says nothing: what was deleted at the source does not belong there.
    """
    reverify_days: int | None = None
    """Copies are proven again at least this often; None is as everywhere."""
    read_back: bool = False
    """Prove by reading back, also where the other side could hash by itself."""

    @property
    def choosing(self) -> bool:
        """Whether anything is excluded."""
        return bool(
            self.kinds
            or self.albums
            or self.libraries
            or self.favorites
            or self.newest_days
            or self.captured_from is not None
        )
