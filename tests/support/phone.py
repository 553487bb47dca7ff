"""A phone with Termux: a real SSH server that finds its own commands first."""

import os
from pathlib import Path
from typing import Any

from custom_components.media_pipeline.engine.targets.phone import PixelTargetConfig

from .sshd import RealSshd

SCANNER = """#!/bin/sh
for file in "$@"; do [ -f "$file" ] || exit 3; echo "$file" >> {log}; done
"""
_HANGING = "hanging"
HANGING = f'#!/bin/sh\necho "{_HANGING}" >> {{log}}\nexec sleep 600\n'
BROADCASTER = """#!/bin/sh
for uri in "$@"; do :; done
echo "Broadcasting: Intent {{ act=android.intent.action.MEDIA_SCANNER_SCAN_FILE dat=$uri }}"
echo "$uri" >> {log}
echo "Broadcast sent without waiting for result"
"""
DENYING = """#!/bin/sh
echo "java.lang.SecurityException: Permission Denial: not allowed to send broadcast"
"""


class Phone(RealSshd):
    """Serves ``root``; ``work`` is a folder for its commands and what they wrote down."""

    def __init__(self, root: Path, work: Path) -> None:
        """``termux-media-scan`` works at first, and there is no ``am``."""
        super().__init__(root)
        self._programs = work / "bin"
        self._log = work / "scanned"
        self._broadcasts = work / "broadcasts"
        self._programs.mkdir(parents=True, exist_ok=True)
        self.give_scanner(SCANNER)

    def _config(self) -> str:
        # only the first such line counts
        path = f"SetEnv PATH={self._programs}:{os.environ['PATH']}"
        text = super()._config()
        return text.replace("SetEnv", path, 1) if "SetEnv" in text else f"{text}{path}\n"

    def give_scanner(self, text: str | None) -> None:
        """Have ``termux-media-scan`` be this program, or none."""
        self._give("termux-media-scan", text, self._log)

    def give_am(self, text: str | None) -> None:
        """Have ``am`` be this program, or none."""
        self._give("am", text, self._broadcasts)

    def _give(self, name: str, text: str | None, log: Path) -> None:
        program = self._programs / name
        program.unlink(missing_ok=True)
        if text is not None:
            program.write_text(text.format(log=log))
            program.chmod(0o755)

    def target_config(self, path: Path, **options: Any) -> PixelTargetConfig:
        """The configuration of a target in the folder ``path`` of this phone."""
        access = self.access
        values: dict[str, Any] = {
            "target_id": "pixel",
            "name": "Pixel",
            "host": access.host,
            "port": access.port,
            "username": access.username,
            "host_key": access.host_key,
            "private_key": access.private_key,
            "path": str(path),
            "reserve_bytes": 0,
        }
        return PixelTargetConfig(**(values | options))

    @property
    def told(self) -> list[str]:
        """The files that the phone was told of by ``termux-media-scan``."""
        return [line for line in _lines(self._log) if line != _HANGING]

    @property
    def hung(self) -> int:
        """How often ``termux-media-scan`` was begun and hung."""
        return _lines(self._log).count(_HANGING)

    @property
    def broadcasts(self) -> list[str]:
        """The addresses that it was told of by ``am``."""
        return _lines(self._broadcasts)


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []
