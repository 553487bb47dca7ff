"""Entries, photos and small steps that many tests share."""

import os
import time
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigSubentryDataWithId
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.marker import claim_folder

APPLE_ID = "someone@example.com"
PASSWORD = "correct horse battery staple"


def make_photo(path: Path, seed: int) -> None:
    """A small real JPEG, different for every seed, and old enough not to be growing still."""
    image = Image.effect_noise((120, 90), 20 + seed).convert("RGB")
    image.putpixel((0, 0), (seed % 256, 0, 0))
    image.save(path, quality=90)
    taken = time.time() - 3600 * (seed + 1)
    os.utime(path, (taken, taken))


def folder_target(path: Path, target_id: str = "target-1", **data: Any) -> ConfigSubentryDataWithId:
    """A folder target as its flow would store it."""
    return ConfigSubentryDataWithId(
        data={
            "kind": "folder",
            "path": str(path),
            "content": "originals",
            "off_machine": True,
            **data,
        },
        subentry_id=target_id,
        subentry_type="target",
        title="Second disk",
        unique_id=f"folder:{path}",
    )


def folder_entry(photos: Path, archive: Path, *targets: Path, **options: Any) -> MockConfigEntry:
    """A folder source as its flow would store it."""
    archive.mkdir(exist_ok=True)
    identity = claim_folder(archive)
    for target in targets:
        target.mkdir(exist_ok=True)
    return MockConfigEntry(
        domain=DOMAIN,
        title="Photo folder",
        unique_id=f"folder:{photos}",
        data={
            "source": "folder",
            "folder": str(photos),
            "archive": str(archive),
            "archive_id": identity.marker_id,
            "archive_device": identity.device_id,
        },
        options={"gentle": False, **options},
        subentries_data=[
            folder_target(target, f"target-{number}") for number, target in enumerate(targets, 1)
        ],
    )


def icloud_entry(
    archive: Path, *targets: ConfigSubentryDataWithId, password: str = PASSWORD, **options: Any
) -> MockConfigEntry:
    """An iCloud source as its flow would store it."""
    archive.mkdir(exist_ok=True)
    identity = claim_folder(archive)
    return MockConfigEntry(
        domain=DOMAIN,
        title="iCloud Photos",
        unique_id=APPLE_ID,
        data={
            "source": "icloud",
            "apple_id": APPLE_ID,
            "password": password,
            "china": False,
            "libraries": ["PrimarySync"],
            "archive": str(archive),
            "archive_id": identity.marker_id,
            "archive_device": identity.device_id,
        },
        options={"gentle": False, **options},
        subentries_data=list(targets),
    )
