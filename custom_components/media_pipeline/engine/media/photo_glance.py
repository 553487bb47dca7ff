"""What is remembered of a photo until its smaller version is decoded: enough to compare the two."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from av import VideoFrame
from PIL import Image, ImageChops, ImageStat

from .encode import turned
from .jobs import Reason
from .jpeg_turbo import StoredSamples
from .outcome import LeftAlone
from .photo_likeness import likeness, stored_windows, windows

_SMALL: Final = (64, 64)
_SAME_ENOUGH: Final = 6.0  # mean difference of small grey versions, of 255


@dataclass(frozen=True, slots=True)
class Glance:
    """A picture in short: its size, a small grey version and some windows; ``exact`` is of all.

    ``stored`` when the windows are of samples as they are stored, and not of what Pillow shows.
    """

    size: tuple[int, int]
    small: Image.Image
    windows: list[VideoFrame]
    exact: bytes = b""
    stored: bool = False

    @classmethod
    def of(
        cls, image: Image.Image, *, exact: bool = False, orientation: int = 1, mode: str = ""
    ) -> Self:
        """Of a decoded picture, turned as EXIF's orientation says."""
        image = turned(image, orientation)
        if mode and image.mode != mode:
            image = image.convert(mode)
        small = image.resize(_SMALL, Image.Resampling.BOX, reducing_gap=2.0).convert("L")
        if exact:
            return cls(image.size, small, [], sha256(image.tobytes()).digest())
        return cls(image.size, small, windows(image))

    @classmethod
    def of_samples(cls, samples: StoredSamples) -> Self:
        """Of what a JPEG stores."""
        light = samples.planes()[0]
        grey = Image.frombuffer("L", samples.size, light, "raw", "L", light.shape[1], 1)
        small = grey.resize(_SMALL, Image.Resampling.BOX, reducing_gap=2.0)
        return cls(samples.size, small, stored_windows(samples), stored=True)

    @property
    def mode(self) -> str:
        """What kind of picture the windows are of; empty when there are none."""
        if not self.windows:
            return ""
        return "L" if self.windows[0].format.name == "gray" else "RGB"

    def compared_with(self, after: Self) -> float:
        """How much the other one looks like this; raises LeftAlone for another picture."""
        if after.size != self.size:
            raise LeftAlone(Reason.VERIFY_FAILED, f"size {after.size}")
        if self.exact != after.exact:
            raise LeftAlone(Reason.VERIFY_FAILED, "a pixel differs")
        difference = ImageChops.difference(self.small, after.small)
        if (mean := ImageStat.Stat(difference).mean[0]) > _SAME_ENOUGH:
            raise LeftAlone(Reason.VERIFY_FAILED, f"the picture differs by {mean:.1f}")
        return likeness(self.windows, after.windows) if self.windows else 1.0
