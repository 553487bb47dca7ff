"""A target in a bucket, reached directly or over a line that a test can harm."""

from typing import Any

from custom_components.media_pipeline.engine.targets.base import TargetIdentity
from custom_components.media_pipeline.engine.targets.object_store import ObjectStoreTarget
from tests.support.object_stores.access import Bucket
from tests.support.relay import Relay


def through(relay: Relay, bucket: Bucket) -> ObjectStoreTarget:
    return direct(bucket, endpoint=f"http://127.0.0.1:{relay.port}")


def direct(bucket: Bucket, /, **changes: Any) -> ObjectStoreTarget:
    return ObjectStoreTarget(bucket.target_config(**changes), TargetIdentity())
