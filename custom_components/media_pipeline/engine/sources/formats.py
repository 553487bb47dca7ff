"""Uniform type identifiers: which suffix a file gets, and whether it is a photo or a video."""

from typing import Final

from ..model import Kind

_SUFFIXES: Final = {
    "public.jpeg": ".JPG",
    "public.heic": ".HEIC",
    "public.heif": ".HEIF",
    "public.png": ".PNG",
    "public.tiff": ".TIFF",
    "public.avif": ".AVIF",
    "public.jpeg-2000": ".JP2",
    "public.jpeg-xl": ".JXL",
    "public.webp": ".WEBP",
    "org.webmproject.webp": ".WEBP",
    "com.compuserve.gif": ".GIF",
    "com.microsoft.bmp": ".BMP",
    "com.adobe.photoshop-image": ".PSD",
    "com.adobe.raw-image": ".DNG",
    "com.apple.quicktime-movie": ".MOV",
    "com.apple.m4v-video": ".M4V",
    "com.apple.photo-booth.video": ".MOV",
    "public.mpeg-4": ".MP4",
    "public.mpeg": ".MPG",
    "public.avi": ".AVI",
    "public.3gpp": ".3GP",
    "public.3gpp2": ".3G2",
    "org.webmproject.webm": ".WEBM",
    "org.matroska.mkv": ".MKV",
    "com.apple.photos.adjustment-data": ".AAE",
    "com.apple.adjustment-data": ".AAE",
    "com.apple.property-list": ".AAE",
    "com.apple.photo.aae": ".AAE",
    "com.adobe.xmp": ".XMP",
    # Raw formats; Apple writes most of them as <maker>.<kind>-raw-image.
    "com.canon.cr2-raw-image": ".CR2",
    "com.canon.cr3-raw-image": ".CR3",
    "com.canon.crw-raw-image": ".CRW",
    "com.canon.tif-raw-image": ".TIF",
    "com.sony.raw-image": ".ARW",
    "com.sony.arw-raw-image": ".ARW",
    "com.sony.sr2-raw-image": ".SR2",
    "com.nikon.raw-image": ".NEF",
    "com.nikon.nrw-raw-image": ".NRW",
    "com.fuji.raw-image": ".RAF",
    "com.olympus.raw-image": ".ORF",
    "com.olympus.or-raw-image": ".ORF",
    "com.panasonic.raw-image": ".RAW",
    "com.panasonic.rw2-raw-image": ".RW2",
    "com.pentax.raw-image": ".PEF",
    "com.samsung.raw-image": ".SRW",
    "com.leica.raw-image": ".RAW",
    "com.leica.rwl-raw-image": ".RWL",
    "com.hasselblad.3fr-raw-image": ".3FR",
    "com.hasselblad.fff-raw-image": ".FFF",
    "com.kodak.raw-image": ".DCR",
    "com.epson.raw-image": ".ERF",
    "com.phaseone.raw-image": ".IIQ",
}
_VIDEO_SUFFIXES: Final = frozenset(
    {
        ".mov",
        ".mp4",
        ".m4v",
        ".mpg",
        ".mpeg",
        ".avi",
        ".3gp",
        ".3g2",
        ".webm",
        ".mkv",
        ".mts",
        ".m2ts",
        ".wmv",
    }
)
RAW_SUFFIXES: Final = frozenset(
    {
        suffix.lower()
        for identifier, suffix in _SUFFIXES.items()
        if identifier.endswith("raw-image") and suffix != ".TIF"
    }
)
_PHOTO_SUFFIXES: Final = RAW_SUFFIXES | {
    ".jpg",
    ".jpeg",
    ".jpe",
    ".heic",
    ".heif",
    ".hif",
    ".png",
    ".tif",
    ".tiff",
    ".avif",
    ".jp2",
    ".jxl",
    ".webp",
    ".gif",
    ".bmp",
    ".psd",
}


def suffix_of_type(identifier: str | None) -> str | None:
    """``public.heic`` → ``.HEIC``; None for a type that we don't know."""
    return _SUFFIXES.get(identifier.lower()) if identifier else None


def kind_of_suffix(suffix: str) -> Kind:
    """What a file name's suffix says."""
    suffix = suffix.lower()
    if suffix in _VIDEO_SUFFIXES:
        return Kind.VIDEO
    return Kind.PHOTO if suffix in _PHOTO_SUFFIXES else Kind.OTHER


def kind_of_type(identifier: str | None) -> Kind:
    """What a type identifier says; OTHER when it says nothing."""
    if not identifier:
        return Kind.OTHER
    suffix = suffix_of_type(identifier)
    if suffix is not None:
        return kind_of_suffix(suffix)
    text = identifier.lower()
    if any(word in text for word in ("movie", "video", "mpeg-", "avi")):
        return Kind.VIDEO
    if any(word in text for word in ("image", "photo")):
        return Kind.PHOTO
    return Kind.OTHER
