"""All that a JPEG says about itself, kept as bytes and carried over to whatever is made of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from .data import Data
from .dates import exif_moment
from .exif import DATE_TAKEN, DATE_ZONE, EXIF_IFD, ORIENTATION, Exif, empty_exif
from .jobs import Captions, Reason
from .jpeg import JpegLayout, Segment
from .outcome import LeftAlone
from .xmp import EXTENSION, HEADER, Xmp, join_extension

EXIF_HEADER: Final = b"Exif\0\0"
_APP0, _APP1, _APP2, _APP14, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_ICC: Final = b"ICC_PROFILE\0"
_LONGEST: Final = 65_533
_FAVORITE: Final = "5"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata segments of a JPEG in their order, as (marker, body)."""

    segments: tuple[tuple[int, bytes], ...]

    @classmethod
    def of(cls, data: Data, segments: Iterable[Segment]) -> Metadata:
        """Read all that is no picture data; ``segments`` are those before the first scan."""
        return cls(
            tuple(
                (segment.marker, data.read(segment.body, segment.end - segment.body))
                for segment in segments
                if is_metadata(segment)
            )
        )

    @property
    def exif(self) -> bytes:
        """EXIF without its header; what does not fit into one segment goes on in the next."""
        return b"".join(self._bodies(_APP1, EXIF_HEADER))

    @property
    def xmp(self) -> bytes | None:
        """The main XMP packet."""
        return next(self._bodies(_APP1, HEADER), None)

    @property
    def whole_xmp(self) -> bytes | None:
        """One packet with everything, for formats without a limit on its length.

        Raises LeftAlone when a part of a long one is missing.
        """
        packet = self.xmp
        extension = list(self._bodies(_APP1, EXTENSION))
        if packet is None or not extension:
            return packet
        try:
            whole = Xmp(packet)
            guid = whole.get("xmpNote:HasExtendedXMP") or ""
            whole.take_in(Xmp(join_extension(extension, guid)))
        except ValueError as err:
            raise LeftAlone(Reason.METADATA, str(err)) from err
        whole.remove("xmpNote:HasExtendedXMP")
        return bytes(whole)

    @property
    def orientation(self) -> int:
        """EXIF's orientation, 1 to 8; 1 when it is not said."""
        try:
            exif = Exif(self.exif)
        except ValueError:
            return 1
        found = int.from_bytes(exif.value(exif.main, ORIENTATION) or b"", exif.order)
        return found if 1 <= found <= 8 else 1

    @property
    def only_jpeg_holds(self) -> bool:
        """Whether there is something that other formats have no place for (IPTC, comments)."""
        return any(
            marker not in {_APP0, _APP1, _APP2}
            or (marker == _APP1 and not body.startswith((EXIF_HEADER, HEADER, EXTENSION)))
            or (marker == _APP2 and not body.startswith(_ICC))
            for marker, body in self.segments
        )

    def with_captions(self, captions: Captions) -> Metadata:
        """Add title, description, keywords, rating and a missing date.

        Raises LeftAlone when the photo's own XMP can't be read, so that nothing of it is lost.
        """
        changed = self._with_date(captions.captured) if captions.captured else self
        if not (captions.title or captions.description or captions.keywords or captions.favorite):
            return changed
        try:
            packet = Xmp(self.xmp)
        except ValueError as err:
            raise LeftAlone(Reason.METADATA, str(err)) from err
        write_captions(packet, captions)
        return changed.with_xmp(bytes(packet))

    def resized(self, width: int, height: int) -> Metadata:
        """Say another picture size."""
        try:
            exif = Exif(self.exif)
        except ValueError:
            return self
        exif.set_size(width, height)
        return self._with_exif(bytes(exif))

    def upright(self, width: int, height: int) -> tuple[bytes, bytes | None]:
        """(EXIF, XMP) for a picture of this size that lies upright and doesn't say so."""
        raw, packet = self.exif, self.whole_xmp
        try:
            exif = Exif(raw)
        except ValueError:
            pass
        else:
            exif.remove(exif.main, ORIENTATION)
            if self.orientation != 1:
                exif.forget_thumbnail()  # it lies as the picture lay
                exif.set_size(width, height)
            raw = bytes(exif)
        if packet is not None and b"Orientation" in packet:
            try:
                whole = Xmp(packet)
            except ValueError as err:
                raise LeftAlone(Reason.METADATA, str(err)) from err
            whole.remove("tiff:Orientation")
            packet = bytes(whole)
        return raw, packet

    def as_segments(self) -> list[bytes]:
        """The segments as they stand in a JPEG."""
        return [
            b"\xff" + bytes((marker,)) + (len(body) + 2).to_bytes(2, "big") + body
            for marker, body in self.segments
        ]

    def put_into(self, raw: bytes, layout: JpegLayout) -> bytes:
        """The JPEG ``raw`` (with this layout) with these segments instead of its own.

        All other segments stay in their order; picture data is not touched.
        """
        rest = b"".join(raw[s.start : s.end] for s in layout.segments if not is_metadata(s))
        end = max(segment.end for segment in layout.segments)
        return b"".join((b"\xff\xd8", *self.as_segments(), rest, raw[end:]))

    def _bodies(self, marker: int, header: bytes) -> Iterator[bytes]:
        for found, body in self.segments:
            if found == marker and body.startswith(header):
                yield body.removeprefix(header)

    def _with_date(self, captured: str) -> Metadata:
        """Set when the photo was taken, unless it says so itself."""
        if exif_moment(self.exif) is not None:
            return self
        when = datetime.fromisoformat(captured)
        zone = when.strftime("%z")
        try:
            exif = Exif(self.exif) if self.exif else empty_exif()
            if exif.deeper(EXIF_IFD) is None:
                return self
            exif.add_texts(
                {
                    DATE_TAKEN: when.strftime("%Y:%m:%d %H:%M:%S"),
                    DATE_ZONE: f"{zone[:3]}:{zone[3:5]}",
                }
            )
        except ValueError:
            return self
        return self._with_exif(bytes(exif))

    def _with_exif(self, raw: bytes) -> Metadata:
        room = _LONGEST - len(EXIF_HEADER)
        parts = [raw[at : at + room] for at in range(0, len(raw), room)]
        return self._replaced(EXIF_HEADER, [EXIF_HEADER + part for part in parts])

    def with_xmp(self, packet: bytes) -> Metadata:
        """Put another main XMP packet in; LeftAlone when it is too long for its segment."""
        if len(HEADER) + len(packet) > _LONGEST:
            raise LeftAlone(Reason.METADATA, "no room in the XMP for captions")
        return self._replaced(HEADER, [HEADER + packet])

    def _replaced(self, header: bytes, bodies: list[bytes]) -> Metadata:
        """Put new APP1 segments where the old ones with this header were."""
        old = [(m, b) for m, b in self.segments if m == _APP1 and b.startswith(header)]
        new = [(_APP1, body) for body in bodies]
        rest = [one for one in self.segments if one not in old]
        if old:
            at = self.segments.index(old[0])
        else:  # after JFIF, which must be first, and after EXIF
            first = (EXIF_HEADER,) if header == HEADER else ()
            at = sum(m == _APP0 or (m == _APP1 and b.startswith(first)) for m, b in rest)
        return replace(self, segments=(*rest[:at], *new, *rest[at:]))


def is_metadata(segment: Segment) -> bool:
    """Application data and comments, without the colour transform of the old picture data."""
    return (_APP0 <= segment.marker <= 0xEF and segment.marker != _APP14) or segment.marker == _COM


def write_captions(packet: Xmp, captions: Captions) -> None:
    """Put captions into a packet; keywords are added to those that are there."""
    if captions.title:
        packet.set_text("dc:title", captions.title)
    if captions.description:
        packet.set_text("dc:description", captions.description)
    if captions.keywords:
        packet.set_list(
            "dc:subject", dict.fromkeys([*packet.listed("dc:subject"), *captions.keywords])
        )
    if captions.favorite:
        packet.set("xmp:Rating", _FAVORITE)
