"""A small photo that is nobody's, to try a place out with."""

import io
import secrets
from datetime import datetime

_SIDE = 320
_TAKEN = 0x9003  # DateTimeOriginal
_EXIF = 0x8769


def make_photo() -> bytes:
    """A JPEG of a few kilobytes with today's date, different each time. Blocking."""
    from PIL import Image, ImageDraw

    colour = tuple(64 + part // 2 for part in secrets.token_bytes(3))
    image = Image.new("RGB", (_SIDE, _SIDE), colour)
    ImageDraw.Draw(image).text((20, _SIDE // 2), f"Media Pipeline test {secrets.token_hex(4)}")
    exif = Image.Exif()
    exif.get_ifd(_EXIF)[_TAKEN] = datetime.now().astimezone().strftime("%Y:%m:%d %H:%M:%S")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, exif=exif)
    return out.getvalue()
