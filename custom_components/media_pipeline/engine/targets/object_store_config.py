"""What targets in object stores are told."""

from dataclasses import dataclass, field
from typing import ClassVar

from ..config import TargetConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreTargetConfig(TargetConfig):
    """A bucket (Azure: a container), or the part of it whose names begin with a prefix."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    """``https://host[:port]`` of a service that speaks the same language; None is the maker's."""
    allow_http: bool = False
    """True when the user accepts an endpoint without encryption."""
    storage_class: str | None = None
    """For new objects, in the service's own words; None is the bucket's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3TargetConfig(ObjectStoreTargetConfig):
    """Amazon S3, and those that speak its language: R2, B2, MinIO, Wasabi."""

    kind: ClassVar[str] = "s3"
    region: str = "us-east-1"
    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsTargetConfig(ObjectStoreTargetConfig):
    """Google Cloud Storage."""

    kind: ClassVar[str] = "gcs"
    service_account_key: str = field(repr=False)
    """The key file's text (JSON)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureTargetConfig(ObjectStoreTargetConfig):
    """Azure Blob Storage."""

    kind: ClassVar[str] = "azure"
    account: str
    account_key: str = field(repr=False)
