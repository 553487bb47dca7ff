"""How alike results are at each choice of care, and how many its floor lets through."""

import asyncio
from pathlib import Path
from statistics import fmean
from typing import Final

import pillow_heif
from PIL import Image

from benchmarks.table import table
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    MediaKind,
    PhotoFormat,
    PhotoPreset,
    VideoCodec,
    VideoPreset,
)
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.presets import SETTINGS, Care, Settings

_HEAD: Final = ["made", "care", "floor", "files", "lowest", "mean", "size", "kept"]
_LOSSY: Final = [one for one in PhotoFormat if one is not PhotoFormat.JPEG_LOSSLESS]


def photos_of_heic(folder: Path, samples: Path | None) -> list[Path]:
    """The HEICs among the samples as JPEGs of high quality: more real pictures."""
    pillow_heif.register_heif_opener()
    found = []
    for one in sorted(samples.glob("*.[hH][eE][iI][cC]")) if samples is not None else ():
        try:
            with Image.open(one) as image:
                path = folder / f"{one.stem}_of_heic.jpg"
                image.convert("RGB").save(path, "JPEG", quality=96)
                found.append(path)
        except OSError, ValueError:  # samples of broken files are among them
            continue
    return found


async def floors(photos: list[Path], films: list[Path], place: Path) -> str:
    """A table: SSIM of the worst quarter, size as part of the source, files above the floor."""
    rows = []
    pool = MediaPool()
    try:
        for made in (*_LOSSY, *VideoCodec):
            for care in Care:
                wanted = SETTINGS[care]
                files = films if isinstance(made, VideoCodec) else photos
                jobs = (_one(pool, file, place, made, wanted) for file in files)
                found = [one for one in await asyncio.gather(*jobs) if one is not None]
                if found:
                    rows.append([made.value, care.value, *_numbers(found, wanted.floor)])
    finally:
        await pool.close()
    return table(_HEAD, rows)


def _numbers(found: list[tuple[float, float]], floor: float) -> list[str]:
    alike = [one for one, _ in found]
    return [
        f"{floor:.2f}",
        str(len(found)),
        f"{min(alike):.4f}",
        f"{fmean(alike):.4f}",
        f"{fmean(size for _, size in found):.2f}",
        str(sum(one >= floor for one in alike)),
    ]


async def _one(
    pool: MediaPool, file: Path, place: Path, made: PhotoFormat | VideoCodec, wanted: Settings
) -> tuple[float, float] | None:
    """(likeness, part of the size) of one file; None for one that is left alone."""
    preset: PhotoPreset | VideoPreset
    if isinstance(made, VideoCodec):
        preset = VideoPreset(crf=wanted.crf, codec=made)
    else:
        preset = PhotoPreset(quality=wanted.photo_quality, format=made)
    out = place / f"{file.stem}-{made}-{wanted.crf}{file.suffix}"
    kind: MediaKind = "video" if isinstance(made, VideoCodec) else "photo"
    try:
        result = await pool.compress(CompressJob(file, out, kind, min_saving=0.0, preset=preset))
    except PipelineError:
        return None
    if not result.kept or result.quality is None or result.path is None:
        return None
    result.path.unlink()
    return result.quality, result.size / result.source_size
