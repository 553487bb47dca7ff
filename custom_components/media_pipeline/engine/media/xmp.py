"""XMP: reading a photo's packet, and putting more into it while all that it said stays.

Runs in the child process. What can't be parsed raises ValueError; nothing is then written.
"""

import io
import re
import struct
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET

NAMESPACES: Final = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
}
HEADER: Final = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION: Final = b"http://ns.adobe.com/xmp/extension/\0"
_WRAPPER: Final = re.compile(rb"<\?xpacket.*?\?>", re.DOTALL)
# what XML 1.0 can't hold, not even escaped
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OWN_PREFIX: Final = re.compile(r"ns\d+$")
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def name(short: str) -> str:
    """``dc:title`` as ElementTree writes it."""
    prefix, _, local = short.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


class Xmp:
    """One XMP packet; an empty one without ``raw``."""

    def __init__(self, raw: bytes | None = None) -> None:
        for prefix, uri in NAMESPACES.items():
            ET.register_namespace(prefix, uri)
        if raw is None:
            self._root = ET.Element(name("x:xmpmeta"))
            ET.SubElement(self._root, name("rdf:RDF"))
        else:
            self._root = _parse(raw)
        rdf = self._root if self._root.tag == name("rdf:RDF") else self._root.find(name("rdf:RDF"))
        if rdf is None:
            raise ValueError("XMP without a description")
        self._rdf = rdf

    def __bytes__(self) -> bytes:
        text = ET.tostring(self._root, encoding="unicode")
        return (
            f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{text}<?xpacket end="w"?>'
        ).encode()

    def get(self, short: str) -> str | None:
        """A plain property, written as attribute or element."""
        wanted = name(short)
        for part in self._parts():
            if wanted in part.attrib:
                return part.attrib[wanted]
            if (found := part.find(wanted)) is not None and found.text:
                return found.text.strip()
        return None

    def listed(self, short: str) -> list[str]:
        """The texts of a list property."""
        found = [part.find(name(short)) for part in self._parts()]
        items = (one.iter(name("rdf:li")) for one in found if one is not None)
        return [item.text.strip() for some in items for item in some if item.text]

    def remove(self, *shorts: str) -> None:
        """Drop properties, however they are written."""
        for part in self._parts():
            for wanted in map(name, shorts):
                part.attrib.pop(wanted, None)
                for child in part.findall(wanted):
                    part.remove(child)

    def set(self, short: str, value: str) -> None:
        """Set a plain property."""
        self.remove(short)
        self._first().set(name(short), value)

    def set_text(self, short: str, value: str) -> None:
        """Set a text in the default language."""
        self.set_list(short, [value], "Alt").set(_LANGUAGE, "x-default")

    def set_list(self, short: str, values: Iterable[str], kind: str = "Bag") -> ET.Element:
        """Set a list; returns the last item."""
        self.remove(short)
        box = ET.SubElement(ET.SubElement(self._first(), name(short)), name(f"rdf:{kind}"))
        for value in values:
            ET.SubElement(box, name("rdf:li")).text = _NOT_XML.sub("", value)
        return box[-1]

    def set_items(self, short: str, inner: str, items: Iterable[dict[str, str]]) -> None:
        """Set an ordered list of structures, each one element ``inner`` with attributes."""
        self.remove(short)
        box = ET.SubElement(ET.SubElement(self._first(), name(short)), name("rdf:Seq"))
        for item in items:
            place = ET.SubElement(box, name("rdf:li"), {name("rdf:parseType"): "Resource"})
            ET.SubElement(place, name(inner), {name(key): value for key, value in item.items()})

    def take_in(self, other: Xmp) -> None:
        """Add everything that another packet says."""
        for part in other._parts():
            self._rdf.append(part)

    def _parts(self) -> list[ET.Element]:
        return self._rdf.findall(name("rdf:Description"))

    def _first(self) -> ET.Element:
        parts = self._parts()
        if parts:
            return parts[0]
        return ET.SubElement(self._rdf, name("rdf:Description"), {name("rdf:about"): ""})


def _parse(raw: bytes) -> ET.Element:
    text = _WRAPPER.sub(b"", raw.strip(b"\0 \r\n\t")).strip(b"\0 \r\n\t")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("XMP with a document type")
    try:
        for _, (prefix, uri) in ET.iterparse(io.BytesIO(text), ["start-ns"]):  # noqa: S314 no entities: see above
            if prefix and not _OWN_PREFIX.match(prefix) and uri not in NAMESPACES.values():
                ET.register_namespace(prefix, uri)
        return ET.fromstring(text)  # noqa: S314
    except ET.ParseError as err:
        raise ValueError(f"XMP can't be parsed: {err}") from err


def join_extension(bodies: Iterable[bytes], guid: str) -> bytes:
    """Put the parts of a long packet together (bodies of APP1 segments after ``EXTENSION``).

    Raises ValueError when one is missing.
    """
    parts: dict[int, bytes] = {}
    total = 0
    for body in bodies:
        if body[:32].decode("ascii", "replace") == guid and len(body) >= 40:
            total, at = struct.unpack(">II", body[32:40])
            parts[at] = body[40:]
    whole = b"".join(parts[at] for at in sorted(parts))
    if not total or len(whole) != total:
        raise ValueError("a part of the extended XMP is missing")
    return whole
