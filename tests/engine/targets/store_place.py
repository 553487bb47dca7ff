"""A place for copies in a bucket, as the contract tests see it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.config import TargetConfig
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from tests.support.object_stores.access import Bucket
from tests.support.object_stores.azurite import azure_container, find_azurite
from tests.support.object_stores.gcs_double import gcs_bucket
from tests.support.object_stores.moto_server import s3_bucket

from .place import Place

STORE_KINDS = ("s3", "gcs", "azure")


def need_azurite() -> None:
    if find_azurite() is None:
        if os.environ.get("CI"):
            pytest.fail("azurite must be installed where CI runs: scripts/setup --all")
        pytest.skip("azurite is not installed: scripts/setup --all, with Node.js")


def make_bucket(kind: str) -> Bucket:
    if kind == "azure":
        need_azurite()
        return azure_container()
    return s3_bucket() if kind == "s3" else gcs_bucket()


@dataclass(slots=True)
class StorePlace(Place):
    bucket: Bucket | None = None

    @property
    def _bucket(self) -> Bucket:
        assert self.bucket is not None
        return self.bucket

    def config(self, **changes: Any) -> TargetConfig:
        return self._bucket.target_config(**changes)

    @property
    def is_folder(self) -> bool:
        return False

    @property
    def has_parts(self) -> bool:
        return False  # up to 32 MiB go in one request, larger ones in parts that nobody sees

    @property
    def tells_space(self) -> bool:
        return False

    @property
    def domain(self) -> tuple[str, ...]:
        return (f"{self.kind}:127.0.0.1",)

    @property
    def has_marker(self) -> bool:
        return MARKER_NAME in self._bucket.files()

    def read(self, path: str) -> bytes:
        return self._bucket.read(path)

    def write(self, path: str, data: bytes) -> None:
        self._bucket.write(path, data)

    def remove(self, path: str) -> None:
        self._bucket.remove(path)

    def files(self, root: Path | None = None) -> set[str]:
        return self._bucket.files() - {MARKER_NAME}


def store_place(kind: str, root: Path) -> StorePlace:
    return StorePlace(kind, root, bucket=make_bucket(kind))
