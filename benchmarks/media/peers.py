"""The other tools, each told to make the same: same format, quality, codec, preset and CRF."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from custom_components.media_pipeline.engine.media.encode import avif_crf, avif_speed
from custom_components.media_pipeline.engine.media.film_encoder import THREADS
from custom_components.media_pipeline.engine.media.jobs import PhotoPreset, VideoPreset
from custom_components.media_pipeline.engine.media.memory import memory_available
from custom_components.media_pipeline.engine.media.presets import encoder_speed

_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_PRIVATE: Final = _CACHE / "media_pipeline" / "debian-peers" / "bin"
JPEG, LOSSLESS, AVIF, WEBP = "JPEG", "JPEG, lossless", "AVIF", "WebP"
HEVC, AV1 = "HEVC", "AV1"
_Q: Final = PhotoPreset().quality
_AVIF_Q: Final = _Q - 7
_AVIF_CRF: Final = avif_crf(_Q)
_AVIF_SVT_Q: Final = round(100 - _AVIF_CRF * 100 / 63)  # what avifenc makes the same CRF of
_WEBP_Q: Final = _Q + 5
_CJPEG: Final = f"-quality {_Q} -progressive -optimize"
_CRF: Final = VideoPreset().crf


@dataclass(frozen=True, slots=True)
class Peer:
    """``arguments`` gives the command's words for a source and what it writes."""

    task: str
    tool: str
    package: str
    suffix: str
    arguments: Callable[[Path, Path], Sequence[str | Path]]
    shown: str
    """How it is told, for people."""
    way: str = ""
    """Tells two ways of one tool apart."""

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.tool} ({self.way})" if self.way else self.tool

    def command(self, source: Path, made: Path) -> list[str] | None:
        """The words that make one file; None when the tool is missing."""
        found = shutil.which(self.tool, path=search_path())
        if found is None:
            return None
        # one that reads no JPEG is told by a shell
        words = list(map(str, self.arguments(source, made)))
        return ["sh" if words[0] == "-c" else found, *words]


def search_path() -> str:
    """Where tools are looked for: first what ``scripts/setup --bench`` unpacked."""
    return os.pathsep.join([str(_PRIVATE), os.environ.get("PATH", os.defpath)])


def _ffmpeg(*codec: str) -> Callable[[Path, Path], list[str | Path]]:
    def words(source: Path, made: Path) -> list[str | Path]:
        sound = ("-map", "0:a?", "-c:a", "copy")
        tags = ("-map_metadata", "0", "-movflags", "use_metadata_tags+faststart")
        begin = ("-nostdin", "-v", "error", "-y", "-noautorotate", "-i", source, "-map", "0:v:0")
        return [*begin, *codec, *sound, *tags, made]

    return words


_X265: Final = (
    "-c:v", "libx265", "-preset", encoder_speed(), "-crf", str(_CRF), "-tag:v", "hvc1",
    "-x265-params", f"log-level=none:pools={THREADS}:frame-threads={min(THREADS, 2)}",
)  # fmt: skip
_SVT: Final = (
    "-c:v", "libsvtav1", "-preset", "8", "-crf", str(_CRF + 11),
    "-svtav1-params", f"lp={THREADS}:lookahead=10",
)  # fmt: skip


def peers() -> list[Peer]:
    """All of them, present or not."""
    svt_speed = str(avif_speed(os.process_cpu_count() or 1, memory_available()))
    vips = f"[Q={_Q},interlace,optimize_coding]"
    return [
        Peer(
            JPEG, "jpegoptim", "jpegoptim", ".jpg",
            lambda one, to: ["-q", f"-m{_Q}", "--all-progressive", "-o", "-d", to.parent, one],
            f"-m{_Q} --all-progressive",
        ),
        Peer(
            JPEG, "vips", "libvips-tools", ".jpg",
            lambda one, to: ["copy", one, f"{to}{vips}"], f"copy {vips}",
        ),
        Peer(
            JPEG, "cjpeg", "libjpeg-turbo-progs", ".jpg",
            lambda one, to: ["-c", f'djpeg "$0" | cjpeg {_CJPEG} -outfile "$1"', one, to],
            f"{_CJPEG} (from djpeg; drops all metadata)",
        ),
        Peer(JPEG, "mozjpeg", "(not in Debian)", ".jpg", lambda one, to: [one, to], ""),
        Peer(
            LOSSLESS, "jpegoptim", "jpegoptim", ".jpg",
            lambda one, to: ["-q", "--all-progressive", "-o", "-d", to.parent, one],
            "--all-progressive",
        ),
        Peer(
            LOSSLESS, "jpegtran", "libjpeg-turbo-progs", ".jpg",
            lambda one, to: ["-copy", "all", "-progressive", "-optimize", "-outfile", to, one],
            "-copy all -progressive -optimize",
        ),
        Peer(
            AVIF, "avifenc", "libavif-bin", ".avif",
            lambda one, to: [
                "-q", str(_AVIF_Q), "-s", "9", "-y", "420", "-c", "aom", "-j", "1", one, to,
            ],
            f"-q {_AVIF_Q} -s 9 -y 420 -c aom -j 1",
        ),
        Peer(
            AVIF, "avifenc", "libavif-bin", ".avif",
            lambda one, to: [
                "-q", str(_AVIF_SVT_Q), "-s", svt_speed, "-y", "420", "-c", "svt",
                "-a", "tune=3", "-j", "1", one, to,
            ],
            f"-q {_AVIF_SVT_Q} -s {svt_speed} -y 420 -c svt -a tune=3 -j 1",
            "SVT",
        ),
        Peer(
            AVIF, "vips", "libvips-tools", ".avif",
            lambda one, to: ["copy", one, f"{to}[Q={_AVIF_Q},effort=0]"],
            f"copy [Q={_AVIF_Q},effort=0]",
        ),
        Peer(
            WEBP, "cwebp", "webp", ".webp",
            lambda one, to: [
                "-quiet", "-q", str(_WEBP_Q), "-m", "4", "-metadata", "all", one, "-o", to,
            ],
            f"-q {_WEBP_Q} -m 4 -metadata all",
        ),
        Peer(HEVC, "ffmpeg", "ffmpeg", ".mp4", _ffmpeg(*_X265), " ".join(_X265[:-2])),
        Peer(AV1, "ffmpeg", "ffmpeg", ".mp4", _ffmpeg(*_SVT), " ".join(_SVT)),
    ]  # fmt: skip
