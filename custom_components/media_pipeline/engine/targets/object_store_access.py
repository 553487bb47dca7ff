"""Reaching an object store: its settings checked, its client made, its machine known.

Making a client imports obstore and reads certificates: do it off the loop.
"""

import ipaddress
import json
import socket
from base64 import b64decode
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ..errors import (
    InvalidEndpoint,
    InvalidStoreKey,
    PlainHttpRefused,
    StorageClassRefused,
)
from .object_store_config import (
    AzureTargetConfig,
    GcsTargetConfig,
    ObjectStoreTargetConfig,
    S3TargetConfig,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_COLD: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_COLD_AZURE: Final = frozenset({"ARCHIVE"})
_CONNECT_SECONDS: Final = 15
_RETRIES: Final = 6


@dataclass(frozen=True, slots=True)
class Door:
    """Where requests go."""

    host: str
    port: int
    domain: str
    """Failure domain; see ``TargetInfo``."""


def check_settings(config: ObjectStoreTargetConfig) -> Door:
    """Refuse what can't work or must not be used, before anything is sent.

    Raises InvalidEndpoint, PlainHttpRefused, StorageClassRefused and InvalidStoreKey.
    """
    _check_class(config)
    _check_key(config)
    if config.endpoint is None:
        return _own_door(config)
    try:
        url = urlsplit(config.endpoint)
        host, port = url.hostname, url.port
    except ValueError as err:
        raise InvalidEndpoint(f"{config.endpoint}: {err}") from err
    if url.scheme not in {"http", "https"} or not host or url.query or url.fragment or url.username:
        raise InvalidEndpoint(f"no address of a service: {config.endpoint}")
    if url.scheme == "http" and not config.allow_http:
        raise PlainHttpRefused(f"not encrypted: {config.endpoint}")
    # Buckets on a server of somebody's own lie on the same disks: they die together.
    return Door(host, port or (80 if url.scheme == "http" else 443), f"{config.kind}:{host}")


def _own_door(config: ObjectStoreTargetConfig) -> Door:
    """The maker's own service."""
    match config:
        case S3TargetConfig():
            host = f"s3.{config.region}.amazonaws.com"
        case AzureTargetConfig():
            host = f"{config.account}.blob.core.windows.net"
            return Door(host, 443, f"{config.kind}:{host}")  # containers share the account
        case _:
            host = "storage.googleapis.com"
    return Door(host, 443, f"{config.kind}:{host}/{config.bucket}")


def _check_class(config: ObjectStoreTargetConfig) -> None:
    cold = _COLD_AZURE if isinstance(config, AzureTargetConfig) else _COLD
    if isinstance(config, GcsTargetConfig):
        cold = frozenset()  # Google's archive answers at once
    if config.storage_class and config.storage_class.upper() in cold:
        raise StorageClassRefused(f"{config.storage_class} can't be read back at once")


def _check_key(config: ObjectStoreTargetConfig) -> None:
    good = True
    try:
        match config:
            case S3TargetConfig():
                good = bool(config.access_key_id and config.secret_access_key)
            case GcsTargetConfig():
                key = json.loads(config.service_account_key)
                good = isinstance(key, dict) and key["private_key"] and key["client_email"]
            case AzureTargetConfig():
                good = bool(b64decode(config.account_key, validate=True))
    except (ValueError, KeyError) as err:
        raise InvalidStoreKey("the key can't be read") from err
    if not good:
        raise InvalidStoreKey("there is no key")


def make_store(
    config: ObjectStoreTargetConfig, timeout: float, retries: int = _RETRIES
) -> ObjectStore:
    """A client whose requests (one part of a file, at most) may take ``timeout`` seconds each."""
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore, S3Store

    shared: dict[str, Any] = {
        "prefix": config.prefix.strip("/") or None,
        "client_options": {
            "allow_http": config.allow_http,
            "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
            "timeout": timedelta(seconds=timeout),
        },
        "retry_config": {
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=timeout),
        },
    }
    try:
        match config:
            case S3TargetConfig():
                if config.endpoint is None:
                    # Others may refuse the header; they check the signed SHA-256 of each request.
                    shared["checksum_algorithm"] = "SHA256"
                return S3Store(
                    config.bucket,
                    endpoint=config.endpoint,
                    region=config.region,
                    access_key_id=config.access_key_id,
                    secret_access_key=config.secret_access_key,
                    copy_if_not_exists="multipart",
                    **shared,
                )
            case AzureTargetConfig():
                return AzureStore(
                    config.bucket,
                    account_name=config.account,
                    account_key=config.account_key,
                    endpoint=config.endpoint,
                    **shared,
                )
            case GcsTargetConfig():
                if config.endpoint:
                    shared["base_url"] = config.endpoint
                return GCSStore(
                    config.bucket, service_account_key=config.service_account_key, **shared
                )
    except (BaseError, ValueError, TypeError) as err:
        raise InvalidStoreKey(
            f"the settings make no client: {str(err).partition('\n')[0]}"
        ) from err
    raise NotImplementedError(config.kind)


def is_this_machine(door: Door) -> bool:
    """Whether the service runs on the machine that we run on. Blocking.

    False too when its name can't be resolved: then nothing will be delivered either.
    """
    try:
        found = socket.getaddrinfo(door.host, door.port, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_is_own(family, address) for family, _, _, _, address in found)


def _is_own(family: int, address: tuple[Any, ...]) -> bool:
    if ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        return True
    # "Connecting" a datagram socket sends nothing, but the system chooses our own address for it:
    # that of the other side itself exactly when the other side is us.
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address)
            return bool(sock.getsockname()[0] == address[0])
        except OSError:
            return False
