"""One place for copies as the contract tests see it: a folder here, however it is reached."""

import hashlib
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from custom_components.media_pipeline.engine.config import FolderTargetConfig, TargetConfig
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets.base import (
    Delivery,
    Target,
    TargetIdentity,
)
from custom_components.media_pipeline.engine.targets.registry import make_target
from tests.support.asyncssh_server import AsyncsshServer
from tests.support.sshd import RealSshd

MTIME = 1_716_000_000.0
PATH = "2024/05/IMG_0001.HEIC"
"""Where tests send to when the name is no matter."""


@dataclass(slots=True)
class Sample:
    """A local file to send, with what the catalog would know about it."""

    path: Path
    size: int
    sha256: str

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()


def make_sample(folder: Path, size: int, seed: int = 1, name: str = "source") -> Sample:
    path = folder / f"{name}-{seed}-{size}"
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return Sample(path, size, hashlib.sha256(data).hexdigest())


@dataclass(slots=True)
class Place:
    """Where copies go, and how to make a target for it."""

    kind: str
    root: Path
    server: RealSshd | AsyncsshServer | None = None
    opened: list[Target] = field(default_factory=list)

    def config(self, **changes: Any) -> TargetConfig:
        if self.server is None:
            values: dict[str, Any] = {
                "target_id": "folder-test",
                "name": "Folder",
                "path": self.root,
                "reserve_bytes": 0,
            }
            return FolderTargetConfig(**(values | changes))
        return self.server.access.target_config(
            os.path.relpath(self.root, self.server.root), **changes
        )

    def target(self, identity: TargetIdentity = TargetIdentity(), **changes: Any) -> Target:  # noqa: B008
        target = make_target(self.config(**changes), identity)
        self.opened.append(target)
        return target

    async def close(self) -> None:
        for target in self.opened:
            await target.close()

    @property
    def is_folder(self) -> bool:
        """Whether ``root`` is a folder here that holds what was sent."""
        return True

    @property
    def has_parts(self) -> bool:
        """Whether a file travels in pieces, into a hidden part file that is there to see."""
        return True

    @property
    def remote_hash(self) -> bool:
        """Whether the other side hashes files itself, in a way that counts."""
        return self.kind == "openssh"

    @property
    def method(self) -> ProofMethod:
        """How a proof is made without a file of ours to compare with."""
        return ProofMethod.REMOTE_HASH if self.remote_hash else ProofMethod.READ_BACK

    @property
    def tells_space(self) -> bool:
        """Whether the other side says how much is free."""
        return True

    @property
    def domain(self) -> tuple[str, ...]:
        """How its failure domain may begin."""
        return ("SHA256:",) if self.server else ("fsid:", "dev:")

    @property
    def has_marker(self) -> bool:
        """Whether the target carries a marker."""
        return (self.root / MARKER_NAME).exists()

    # --- what the other side holds, seen past the target ------------------------------------------

    def read(self, path: str) -> bytes:
        """The bytes that lie at a path."""
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Put a file there, as somebody else would."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)

    def remove(self, path: str) -> None:
        """Remove a file, as somebody else would."""
        (self.root / path).unlink()

    def files(self, root: Path | None = None) -> set[str]:
        """Every file below the root but the marker, hidden ones too."""
        root = root or self.root
        return {
            str(path.relative_to(root))
            for path in root.rglob("*")
            if not path.is_dir() and path.name != MARKER_NAME
        }


async def send(target: Target, sample: Sample, path: str, **more: Any) -> Delivery:
    values: dict[str, Any] = {"size": sample.size, "sha256": sample.sha256, "mtime": MTIME}
    return await target.deliver(sample.path, path, **(values | more))
