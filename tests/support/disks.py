"""Small real file systems, for full disks and vanishing mounts."""

import os
import shutil
import subprocess
from pathlib import Path


def can_mount() -> bool:
    """True when this process may mount a tmpfs."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


class SmallDisk:
    """A tmpfs of a few megabytes at ``path``."""

    def __init__(self, path: Path, megabytes: int = 20) -> None:
        """Not mounted yet."""
        self.path = path
        self._megabytes = megabytes
        self._mounted = False

    def mount(self) -> bool:
        """Mount it; False when that is not permitted."""
        self.path.mkdir(parents=True, exist_ok=True)
        command = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={self._megabytes}m",
            "tmpfs",
            str(self.path),
        ]
        self._mounted = can_mount() and subprocess.run(command, check=False).returncode == 0
        return self._mounted

    def unmount(self) -> None:
        """Take it away, also when somebody still uses it."""
        if self._mounted:
            subprocess.run(["umount", "-l", self.path], check=True)
            self._mounted = False

    def read_only(self) -> None:
        """Refuse writes from now on."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)
