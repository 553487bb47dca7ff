"""How careful compress is: one choice that sets a floor for the likeness, and what fits it.

The floors are for the worst quarter of what was compared. Measured on iPhone photos, JPEG of
quality 90 has 0.986 or more, 85 has 0.948 or more, 75 has 0.938 or more, 40 has 0.902 to 0.957; the
other formats lie above that (``scripts/bench media --floors``).
"""

import os
import platform
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Care(StrEnum):
    """What the owner chooses."""

    CAREFUL = "careful"
    BALANCED = "balanced"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Settings:
    """``floor`` is an SSIM, ``photo_quality`` JPEG's, ``crf`` x265's."""

    floor: float
    photo_quality: int
    crf: int


SETTINGS: Final = {
    Care.CAREFUL: Settings(floor=0.96, photo_quality=90, crf=22),
    Care.BALANCED: Settings(floor=0.93, photo_quality=85, crf=26),
    Care.SMALL: Settings(floor=0.90, photo_quality=75, crf=30),
}
_ARM: Final = frozenset({"aarch64", "arm64"})
_FEW: Final = 4


def encoder_speed() -> str:
    """x265's preset: a small board takes the one that costs 28 % less for 0.7 VMAF."""
    small = platform.machine() in _ARM and (os.process_cpu_count() or 1) <= _FEW
    return "veryfast" if small else "fast"
