"""Filling in the forms of a target, as a person would."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.support.asyncssh_server import AsyncsshServer
from tests.support.sshd import RealSshd

FOLDER = {"name": "Second disk", "content": "originals", "off_machine": True}
NO_RULES: dict[str, dict[str, Any]] = {
    "what": {"favorites": False, "newest_days": 0.0},
    "where": {"layout": "{year}/{month}/{name}"},
    "when": {},
    "how_long": {"when_deleted": "keep", "keep_days": 30.0, "delete_days": 0.0},
    "proof": {"prove_days": 0.0, "read_back": False},
    "encryption": {"encrypt": False},
}


async def begin(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Any:
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "target"), context={"source": SOURCE_USER}
    )
    assert result["type"] is FlowResultType.MENU
    return await answer(hass, result, {"next_step_id": kind})


async def answer(hass: HomeAssistant, result: Any, user_input: dict[str, Any]) -> Any:
    result = await hass.config_entries.subentries.async_configure(result["flow_id"], user_input)
    await hass.async_block_till_done()
    return result


def only_target(entry: MockConfigEntry) -> Any:
    (subentry,) = entry.subentries.values()
    return subentry


def form_for(server: RealSshd | AsyncsshServer, **changes: Any) -> dict[str, Any]:
    access = server.access
    form = {
        "name": "NAS",
        "host": access.host,
        "port": float(access.port),
        "username": access.username,
        "path": f"{access.path.rstrip('/')}/photos",
        "content": "originals",
        "parallel": 4.0,
        "password": access.password,
        "private_key": access.private_key,
    }
    return {key: value for key, value in (form | changes).items() if value is not None}
