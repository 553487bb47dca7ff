"""Adding and changing buckets as targets, against real servers over HTTP."""

import json
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.diagnostics import async_get_config_entry_diagnostics
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets.object_store_config import S3TargetConfig
from custom_components.media_pipeline.target_kinds.registry import build_target_config
from tests.support.object_stores.access import Bucket
from tests.support.object_stores.moto_server import moto_port, s3_bucket

from .target_forms import answer, begin, only_target

pytestmark = pytest.mark.usefixtures("socket_enabled")


def s3_form(bucket: Bucket, /, **changes: Any) -> dict[str, Any]:
    given = {"endpoint", "bucket", "prefix", "access_key_id", "secret_access_key"}
    return {
        "name": "Cloud",
        "region": "us-east-1",
        "content": "originals",
        "parallel": 4,
        "bandwidth": 20,
        "allow_http": True,
        "same_machine": False,
        **{key: value for key, value in bucket.values.items() if key in given},
        **changes,
    }


async def test_s3(hass: HomeAssistant, fake_entry: MockConfigEntry) -> None:
    bucket = s3_bucket()
    wrong: dict[str, dict[str, Any]] = {
        "bucket_missing": {"bucket": "nobody-made-this"},
        "plain_http_refused": {"allow_http": False},
        "invalid_endpoint": {"endpoint": "store"},
        "target_unreachable": {"endpoint": "http://127.0.0.1:9"},
        "storage_class_refused": {"storage_class": "GLACIER"},
        "invalid_store_key": {"secret_access_key": ""},
    }
    for error, change in wrong.items():
        result = await begin(hass, fake_entry, "s3")
        result = await answer(hass, result, s3_form(bucket, **change))
        assert result["errors"] == {"base": error}
        assert bucket.files() == set()
    result = await answer(hass, result, s3_form(bucket, storage_class="STANDARD_IA"))
    assert result["type"] is FlowResultType.CREATE_ENTRY

    subentry = only_target(fake_entry)
    assert bucket.files() == {MARKER_NAME}
    config = build_target_config(subentry.data, "id", subentry.title)
    assert isinstance(config, S3TargetConfig)
    assert (config.bucket, config.prefix) == (bucket.values["bucket"], bucket.values["prefix"])
    assert (config.bandwidth, config.parallel) == (2_500_000, 4)
    assert config.storage_class == "STANDARD_IA"
    assert config.secret_access_key == bucket.values["secret_access_key"]
    assert config.off_machine is None

    result = await begin(hass, fake_entry, "s3")
    result = await answer(hass, result, s3_form(bucket, name="Again"))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_secrets_stay_and_are_never_shown(
    hass: HomeAssistant, fake_entry: MockConfigEntry
) -> None:
    bucket = s3_bucket()
    secret = bucket.values["secret_access_key"]
    result = await begin(hass, fake_entry, "s3")
    await answer(hass, result, s3_form(bucket))
    subentry_id = only_target(fake_entry).subentry_id

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry_id)
    schema = result["data_schema"]
    assert schema is not None
    shown = [str(getattr(key, "description", "")) for key in schema.schema]
    assert any(bucket.values["bucket"] in text for text in shown)
    assert not any(secret in text for text in shown)
    form = s3_form(bucket, same_machine=True)
    del form["secret_access_key"]
    result = await answer(hass, result, form)

    assert result["reason"] == "reconfigure_successful"
    data = only_target(fake_entry).data
    assert data["secret_access_key"] == secret
    assert build_target_config(data, "id", "x").off_machine is False
    told = json.dumps(await async_get_config_entry_diagnostics(hass, fake_entry), default=str)
    for hidden in ("secret_access_key", "access_key_id", "bucket", "prefix", "endpoint"):
        assert str(bucket.values[hidden]) not in told, hidden
    assert str(moto_port()) not in told


async def test_gcs_key_must_be_a_key_file(hass: HomeAssistant, fake_entry: MockConfigEntry) -> None:
    form = {"name": "G", "bucket": "b", "content": "originals", "parallel": 8, "bandwidth": 0}
    for key in ("", "no key", json.dumps({"type": "authorized_user"})):
        result = await begin(hass, fake_entry, "gcs")
        result = await answer(hass, result, form | {"service_account_key": key})
        assert result["errors"] == {"base": "invalid_store_key"}
    assert not fake_entry.subentries


async def test_azure_key_must_be_a_key(hass: HomeAssistant, fake_entry: MockConfigEntry) -> None:
    form = {"name": "A", "account": "a", "bucket": "b", "content": "originals", "parallel": 8}
    form |= {"bandwidth": 0, "allow_http": False, "same_machine": False}
    result = await begin(hass, fake_entry, "azure")
    result = await answer(hass, result, form | {"account_key": "no base64!"})
    assert result["errors"] == {"base": "invalid_store_key"}
    assert not fake_entry.subentries
