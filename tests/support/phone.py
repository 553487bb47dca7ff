"""A phone with Termux: a real SSH server that finds its own commands first."""

import os
from pathlib import Path

from .sshd import RealSshd

SCANNER = """#!/bin/sh
for file in "$@"; do [ -f "$file" ] || exit 3; echo "$file" >> {log}; done
"""
HANGING = "#!/bin/sh\nsleep 600\n"


class Phone(RealSshd):
    """Serves ``root``; ``work`` is a folder for its commands and what they wrote down."""

    def __init__(self, root: Path, work: Path) -> None:
        """``termux-media-scan`` works at first."""
        super().__init__(root)
        self._programs = work / "bin"
        self._log = work / "scanned"
        self._programs.mkdir(parents=True, exist_ok=True)
        self.give_scanner(SCANNER)

    def _config(self) -> str:
        # only the first such line counts
        path = f"SetEnv PATH={self._programs}:{os.environ['PATH']}"
        text = super()._config()
        return text.replace("SetEnv", path, 1) if "SetEnv" in text else f"{text}{path}\n"

    def give_scanner(self, text: str | None) -> None:
        """Have ``termux-media-scan`` be this program, or none."""
        scanner = self._programs / "termux-media-scan"
        scanner.unlink(missing_ok=True)
        if text is not None:
            scanner.write_text(text.format(log=self._log))
            scanner.chmod(0o755)

    @property
    def told(self) -> list[str]:
        """The files that the phone was told of."""
        return self._log.read_text().splitlines() if self._log.exists() else []
