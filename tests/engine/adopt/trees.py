"""Trees as other tools leave them, of the very bytes that the stand-in has."""

import base64
import os
import sqlite3
import time
import unicodedata
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.icloud_server.client import StandIn
from tests.icloud_server.library import Library
from tests.icloud_server.options import Options
from tests.icloud_server.specs import Role

OLD = time.time() - 3600


@dataclass(frozen=True)
class Piece:
    """One file of one asset."""

    index: int
    role: Role
    filename: str
    """The asset's name with the ending that this file's format has."""
    still: str
    """The asset's own name."""
    checksum: str
    date_ms: int
    data: bytes

    @property
    def stem(self) -> str:
        return self.filename.rpartition(".")[0]

    @property
    def suffix(self) -> str:
        return self.filename.rpartition(".")[2]

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.date_ms / 1000, UTC).strftime("%Y/%m/%d")


def pieces(stand_in: StandIn, count: int) -> list[Piece]:
    """All files of the first ``count`` assets. Their bytes follow from seed and index."""
    zone = Library(Options(assets=count)).primary
    found = []
    for asset in stand_in.assets()[:count]:
        spec = zone.spec(asset["index"])
        for name, facts in asset["roles"].items():
            role = Role(name)
            data = zone.media.body(spec, role, asset["edits"]).read()
            assert len(data) == facts["size"]
            stem, _, own = asset["filename"].rpartition(".")
            ending = {"jpeg": "JPG"}.get(facts["format"], facts["format"].upper())
            suffix = own if role is Role.ORIGINAL else ending
            found.append(
                Piece(
                    spec.index,
                    role,
                    f"{stem}.{suffix}",
                    asset["filename"],
                    facts["checksum"],
                    asset["asset_date"],
                    data,
                )
            )
    return found


def write(path: Path, data: bytes) -> Path:
    """A file that was not written to just now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (OLD, OLD))
    return path


def icloudpd(root: Path, files: Iterable[Piece]) -> None:
    """Folders by day; ``_HEVC.MOV`` beside a HEIC; the size behind a name that is taken."""
    for piece in files:
        stem, suffix = piece.stem, piece.suffix
        if piece.role is Role.MOTION and piece.still.endswith(".HEIC"):
            stem += "_HEVC"
        elif piece.role in {Role.EDITED, Role.EDITED_VIDEO}:
            stem += "-adjusted"
        path = root / piece.day / f"{stem}.{suffix}"
        if path.exists():
            path = root / piece.day / f"{stem}-{len(piece.data)}.{suffix}"
        write(path, piece.data)
        write(path.with_name(path.name + ".xmp"), b"<x/>")


def icloud_docker(root: Path, files: Iterable[Piece]) -> None:
    """Folders by album, the record's name in each file's; a second album of hard links."""
    for piece in files:
        mark = base64.urlsafe_b64encode(piece.checksum.encode()).decode()
        kind = {Role.ORIGINAL: "original", Role.MOTION: "live_video_original"}.get(
            piece.role, "original_alt"
        )
        name = f"{piece.stem}__{kind}__{mark}.{piece.suffix}"
        first = write(root / "All Photos" / name, piece.data)
        if piece.index % 3 == 0:
            (root / "Holidays").mkdir(exist_ok=True)
            os.link(first, root / "Holidays" / name)


def icloud_photos_sync(root: Path, files: Iterable[Piece]) -> None:
    """One folder, named by checksum; albums are hidden folders of links."""
    album = root / ".0b5e7a10-album"
    album.mkdir(parents=True)
    (root / "Album").symlink_to(album.name)
    for piece in files:
        name = base64.urlsafe_b64encode(base64.b64decode(piece.checksum)).decode()
        path = write(root / "_All-Photos" / f"{name}.{piece.suffix.lower()}", piece.data)
        if not (album / piece.filename).is_symlink():
            (album / piece.filename).symlink_to(path)
    write(root / ".icloud-photos-sync", b"{}")


def by_hand(root: Path, files: Iterable[Piece]) -> None:
    """One folder per year, names of the owner's own, decomposed as on a Mac."""
    for number, piece in enumerate(files):
        name = unicodedata.normalize("NFD", f"Österreich {number} - Grüße.{piece.suffix.lower()}")
        write(root / piece.day[:4] / name, piece.data)


def kei_database(path: Path, files: Iterable[tuple[Path, Piece]], *, status: bool = True) -> None:
    """The columns of kei's table that matter here; early versions had no status."""
    with closing(sqlite3.connect(path)) as connection, connection:
        more = ", status TEXT NOT NULL DEFAULT 'pending'" if status else ""
        connection.execute(
            "CREATE TABLE assets (id TEXT NOT NULL, version_size TEXT NOT NULL, checksum TEXT,"
            f" size_bytes INTEGER, local_path TEXT{more}, PRIMARY KEY (id, version_size))"
        )
        for file, piece in files:
            row = [f"A{piece.index}", str(piece.role), piece.checksum, len(piece.data), str(file)]
            row += ["downloaded"] if status else []
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO assets VALUES ({marks})", row)  # noqa: S608
