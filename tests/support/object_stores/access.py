"""A bucket that a test made, and how to reach it past the target under test."""

from dataclasses import dataclass
from typing import Any

import obstore
from obstore.store import ObjectStore

from custom_components.media_pipeline.engine.targets.object_store_access import make_store
from custom_components.media_pipeline.engine.targets.object_store_config import (
    ObjectStoreTargetConfig,
)


@dataclass(slots=True)
class Bucket:
    """An empty bucket."""

    config_class: type[ObjectStoreTargetConfig]
    values: dict[str, Any]

    def target_config(self, **changes: Any) -> ObjectStoreTargetConfig:
        """The configuration of a target in this bucket."""
        fixed: dict[str, Any] = {"target_id": "store-test", "name": "Store", "allow_http": True}
        return self.config_class(**(fixed | self.values | changes))

    def store(self, **changes: Any) -> ObjectStore:
        """A client of its own."""
        return make_store(self.target_config(**changes), 60)

    def read(self, path: str) -> bytes:
        """What lies at a path."""
        return bytes(obstore.get(self.store(), path).bytes())

    def write(self, path: str, data: bytes) -> None:
        """Put something there, as somebody else would."""
        obstore.put(self.store(), path, data, use_multipart=False)

    def remove(self, path: str) -> None:
        """Remove something, as somebody else would."""
        obstore.delete(self.store(), path)

    def files(self) -> set[str]:
        """Everything below the prefix."""
        return {found["path"] for found in obstore.list(self.store()).collect()}
