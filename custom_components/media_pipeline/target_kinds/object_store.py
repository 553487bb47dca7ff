"""Buckets in object stores: S3 and compatible, Google Cloud Storage, Azure Blob Storage."""

from typing import Any, Final

import voluptuous as vol
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import (
    CONF_ACCESS_KEY_ID,
    CONF_ACCOUNT,
    CONF_ACCOUNT_KEY,
    CONF_ALLOW_HTTP,
    CONF_BANDWIDTH,
    CONF_BUCKET,
    CONF_ENDPOINT,
    CONF_PARALLEL,
    CONF_PREFIX,
    CONF_REGION,
    CONF_SAME_MACHINE,
    CONF_SECRET_ACCESS_KEY,
    CONF_SERVICE_ACCOUNT_KEY,
    CONF_STORAGE_CLASS,
    TARGET_AZURE,
    TARGET_GCS,
    TARGET_S3,
)
from ..engine.targets.object_store_config import (
    AzureTargetConfig,
    GcsTargetConfig,
    S3TargetConfig,
)
from ..form_fields import KEY, SECRET, SWITCH, TEXT, number
from .base import CONTENTS, NAME, Data, TargetKind

_AWAY: Final = {
    vol.Required(CONF_ALLOW_HTTP, default=False): SWITCH,
    vol.Required(CONF_SAME_MACHINE, default=False): SWITCH,
}
_SPEED: Final = {
    vol.Required(CONF_PARALLEL, default=8): number(1, 32),
    vol.Required(CONF_BANDWIDTH, default=0): number(0, 10000, "Mbit/s"),
}
_PLACE: Final = (CONF_ENDPOINT, CONF_BUCKET, CONF_PREFIX)


def _classes(*names: str) -> dict[vol.Marker, Any]:
    """Only classes that can be read back at once; other services have names of their own."""
    config = SelectSelectorConfig(
        options=list(names), custom_value=True, mode=SelectSelectorMode.DROPDOWN
    )
    return {vol.Optional(CONF_STORAGE_CLASS): SelectSelector(config)}


def _fields(data: Data) -> dict[str, Any]:
    return {
        "bucket": data[CONF_BUCKET],
        "prefix": data.get(CONF_PREFIX, ""),
        "endpoint": data.get(CONF_ENDPOINT),
        "allow_http": data.get(CONF_ALLOW_HTTP, False),
        "storage_class": data.get(CONF_STORAGE_CLASS),
        "off_machine": False if data.get(CONF_SAME_MACHINE) else None,
    }


def _build_s3(data: Data, common: dict[str, Any]) -> S3TargetConfig:
    return S3TargetConfig(
        **common,
        **_fields(data),
        region=data[CONF_REGION],
        access_key_id=data[CONF_ACCESS_KEY_ID],
        secret_access_key=data.get(CONF_SECRET_ACCESS_KEY, ""),
    )


def _build_gcs(data: Data, common: dict[str, Any]) -> GcsTargetConfig:
    return GcsTargetConfig(
        **common, **_fields(data), service_account_key=data.get(CONF_SERVICE_ACCOUNT_KEY, "")
    )


def _build_azure(data: Data, common: dict[str, Any]) -> AzureTargetConfig:
    return AzureTargetConfig(
        **common,
        **_fields(data),
        account=data[CONF_ACCOUNT],
        account_key=data.get(CONF_ACCOUNT_KEY, ""),
    )


def _unique_id(kind: str, *fields: str) -> Any:
    def of(data: Data) -> str:
        return ":".join([kind, *(str(data.get(field, "")).strip("/") for field in fields)])

    return of


S3: Final = TargetKind(
    key=TARGET_S3,
    model="S3 target",
    schema=vol.Schema(
        {
            **NAME,
            vol.Optional(CONF_ENDPOINT): TEXT,
            vol.Required(CONF_REGION, default="us-east-1"): TEXT,
            vol.Required(CONF_BUCKET): TEXT,
            vol.Optional(CONF_PREFIX): TEXT,
            vol.Required(CONF_ACCESS_KEY_ID): TEXT,
            vol.Optional(CONF_SECRET_ACCESS_KEY): SECRET,
            **_classes(
                "STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"
            ),
            **CONTENTS,
            **_SPEED,
            **_AWAY,
        }
    ),
    build=_build_s3,
    unique_id=_unique_id(TARGET_S3, *_PLACE),
    place=_PLACE,
    secrets=(CONF_SECRET_ACCESS_KEY,),
)
GCS: Final = TargetKind(
    key=TARGET_GCS,
    model="Google Cloud Storage target",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_BUCKET): TEXT,
            vol.Optional(CONF_PREFIX): TEXT,
            vol.Optional(CONF_SERVICE_ACCOUNT_KEY): KEY,
            **_classes("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"),
            **CONTENTS,
            **_SPEED,
        }
    ),
    build=_build_gcs,
    unique_id=_unique_id(TARGET_GCS, *_PLACE),
    place=_PLACE,
    secrets=(CONF_SERVICE_ACCOUNT_KEY,),
)
AZURE: Final = TargetKind(
    key=TARGET_AZURE,
    model="Azure Blob Storage target",
    schema=vol.Schema(
        {
            **NAME,
            vol.Optional(CONF_ENDPOINT): TEXT,
            vol.Required(CONF_ACCOUNT): TEXT,
            vol.Required(CONF_BUCKET): TEXT,
            vol.Optional(CONF_PREFIX): TEXT,
            vol.Optional(CONF_ACCOUNT_KEY): SECRET,
            **_classes("Hot", "Cool", "Cold"),
            **CONTENTS,
            **_SPEED,
            **_AWAY,
        }
    ),
    build=_build_azure,
    unique_id=_unique_id(TARGET_AZURE, CONF_ACCOUNT, *_PLACE),
    place=(CONF_ACCOUNT, *_PLACE),
    secrets=(CONF_ACCOUNT_KEY,),
)
