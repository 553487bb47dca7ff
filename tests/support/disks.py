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


class DiskImage:
    """A real file system in a file, mounted at ``path``: what a NAS or a USB disk brings along."""

    def __init__(self, path: Path, kind: str, megabytes: int = 300) -> None:
        """``kind``: ``btrfs`` (shares blocks) or ``ntfs`` (blind to upper and lower case)."""
        self.path = path
        self._image = path.with_name(f"{path.name}.image")
        self._kind = kind
        self._megabytes = megabytes
        self._mounted = False

    def mount(self) -> bool:
        """Make and mount it; False when that is not permitted or its tools are missing."""
        make, mount = self._commands()
        if not can_mount() or not all(shutil.which(command[0]) for command in (make, mount)):
            return False
        self.path.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(self._megabytes << 20)
        self._mounted = all(
            subprocess.run(command, check=False, capture_output=True).returncode == 0
            for command in (make, mount)
        )
        return self._mounted

    def _commands(self) -> tuple[list[str], list[str]]:
        image, path = str(self._image), str(self.path)
        if self._kind == "ntfs":
            return (
                ["mkfs.ntfs", "--quick", "--force", image],
                ["lowntfs-3g", "-o", "ignore_case,windows_names", image, path],
            )
        return [f"mkfs.{self._kind}", "-q", image], ["mount", "-o", "loop", image, path]

    def unmount(self) -> None:
        """Take it away, also when somebody still uses it."""
        if self._mounted:
            subprocess.run(["umount", "-l", self.path], check=True)
            self._mounted = False
        self._image.unlink(missing_ok=True)
