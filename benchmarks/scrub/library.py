"""A library that is archived and lies at a target, made at once: files by hand, rows in bulk."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from custom_components.media_pipeline.engine.catalog.schema import assets, copies, resources
from custom_components.media_pipeline.engine.clock import now_ms

TARGET = "disk"
_FOLDERS = 480
_PIECE = 10_000


def make(archive: Path, target: Path, files: int, size: int) -> list[dict[str, Any]]:
    """Files in both places, and what the catalog has to know of them."""
    found = []
    for number in range(files):
        place = number % _FOLDERS
        folder = f"{1980 + place // 12}/{place % 12 + 1:02d}"
        data = hashlib.shake_128(number.to_bytes(8)).digest(size)
        path = f"{folder}/IMG_{number:06d}.JPG"
        for root in (archive, target):
            if number < _FOLDERS:
                (root / folder).mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        found.append(
            {"number": number + 1, "path": path, "sha256": hashlib.sha256(data).hexdigest()}
        )
    os.sync()
    return found


def fill(connection: Connection, files: list[dict[str, Any]], size: int) -> None:
    """Everything was proven just now."""
    now = now_ms()
    for piece in _pieces(files):
        connection.execute(
            insert(assets),
            [
                {"id": f["number"], "key": str(f["number"]), "library": "folder", "kind": "photo",
                 "filename": f["path"].rpartition("/")[2], "folder": f["path"].rpartition("/")[0],
                 "stem": f["path"][8:-4], "stem_key": f["path"][8:-4], "created": now,
                 "captured": f["number"], "record_saved": True}
                for f in piece
            ],
        )  # fmt: skip
        connection.execute(
            insert(resources),
            [
                {"id": f["number"], "asset_id": f["number"], "role": "original", "size": size,
                 "filename": f["path"].rpartition("/")[2], "version": "1", "state": "archived",
                 "path": f["path"], "sha256": f["sha256"], "proven_at": now, "archived_at": now,
                 "compress": "left_alone"}
                for f in piece
            ],
        )  # fmt: skip
        connection.execute(
            insert(copies),
            [
                {"id": f["number"], "resource_id": f["number"], "target_id": TARGET, "size": size,
                 "state": "verified", "path": f["path"], "sha256": f["sha256"], "proven_at": now,
                 "method": "read_back", "sent_at": now}
                for f in piece
            ],
        )  # fmt: skip


def _pieces(files: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for begin in range(0, len(files), _PIECE):
        yield files[begin : begin + _PIECE]
