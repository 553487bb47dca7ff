"""What the stand-in holds, compared with what lies in an archive."""

from collections import Counter
from pathlib import Path

from custom_components.media_pipeline.engine.checksums import hash_file
from tests.icloud_server.client import StandIn

from .harness import media_files


def true_files(stand_in: StandIn) -> Counter[str]:
    """Apple's checksum of every file of every present asset, and how often it is there."""
    return Counter(
        file["checksum"]
        for asset in stand_in.assets()
        if not asset["deleted"] and not asset["purged"]
        for file in asset["roles"].values()
    )


def archived_files(archive: Path) -> Counter[str]:
    """Apple's checksum of every media file of an archive, computed from its bytes."""
    return Counter(hash_file(path, apple=True).apple for path in media_files(archive))


def wrong_files(stand_in: StandIn, archive: Path) -> int:
    """Files in an archive that are not, byte for byte, what the stand-in holds (or are twice)."""
    return (archived_files(archive) - true_files(stand_in)).total()


def missing_files(stand_in: StandIn, archive: Path) -> int:
    """Files that the stand-in holds and an archive does not."""
    return (true_files(stand_in) - archived_files(archive)).total()
