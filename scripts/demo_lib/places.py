"""Where the demo keeps its things."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of one demo; each plays a disk or a machine of its own."""

    root: Path

    def make(self) -> None:
        """Make the folders that a user would have before."""
        for folder in (self.config, self.archive, self.usb, self.nas):
            folder.mkdir(parents=True)

    @property
    def config(self) -> Path:
        """Home Assistant's configuration."""
        return self.root / "config"

    @property
    def archive(self) -> Path:
        """The verified originals."""
        return self.root / "archive"

    @property
    def usb(self) -> Path:
        """What plays the USB disk."""
        return self.root / "usb_disk"

    @property
    def served(self) -> Path:
        """What the SFTP server serves."""
        return self.root / "nas"

    @property
    def nas(self) -> Path:
        """The target's folder on the SFTP server."""
        return self.served / "photos"

    @property
    def log(self) -> Path:
        """What Home Assistant prints."""
        return self.root / "home-assistant.log"

    def log_text(self) -> str:
        """All that Home Assistant printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def catalog(self) -> Path:
        """The integration's catalog, in its private folder."""
        found = list((self.config / ".storage" / "media_pipeline").glob("*/catalog.db"))
        if len(found) != 1:
            raise FileNotFoundError(f"{len(found)} catalogs")
        return found[0]
