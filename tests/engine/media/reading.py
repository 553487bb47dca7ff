"""Readers of metadata that are none of ours: exiftool where it is installed, else Pillow."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image

EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(
    EXIFTOOL is None, reason="exiftool is not installed (scripts/setup --all)"
)
# what a new file must differ in, and what exiftool reckons from the file itself
_OF_THE_FILE = ("System", "File", "ExifTool", "Composite", "ICC_Profile", "JFIF", "IFD1", "MPImage")


def exiftool(path: Path, *options: str) -> dict[str, Any]:
    """Everything that exiftool reads, numbers as numbers, keys with their group."""
    assert EXIFTOOL is not None
    command = [EXIFTOOL, "-j", "-n", "-G1", "-a", "-ee", *options, str(path)]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    )[0]
    return found


def said(path: Path) -> dict[str, Any]:
    """What exiftool says of the photo itself, without what only tells of the file."""
    return {
        key: value
        for key, value in exiftool(path).items()
        if key.partition(":")[0] not in _OF_THE_FILE and key != "SourceFile"
    }


def tags(path: Path) -> dict[str, Any]:
    """EXIF as Pillow reads it: all entries of the three parts by number."""
    pillow_heif.register_heif_opener()
    with Image.open(path) as image:
        data = image.getexif()
        parts = {"main": dict(data), **{str(ifd): data.get_ifd(ifd) for ifd in (0x8769, 0x8825)}}
    return {
        f"{part}/{tag:x}": str(value) for part, ifd in parts.items() for tag, value in ifd.items()
    }
