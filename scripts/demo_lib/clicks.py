"""Sets the integration up through its own dialogs, with the clicks of a user."""

from dataclasses import dataclass

from tests.icloud_server.client import StandIn
from tests.support.sftp_access import SftpAccess

from . import DemoFailed
from .api import HomeAssistantApi
from .flow import CONFIG, SUBENTRY, Dialog
from .places import Places

USB, NAS = "USB disk", "NAS"


@dataclass(frozen=True, slots=True)
class Installed:
    """What the clicks made."""

    entry_id: str
    targets: dict[str, str]
    """Name of a target → its id."""


async def install(
    api: HomeAssistantApi, places: Places, icloud: StandIn, sftp: SftpAccess, fingerprint: str
) -> Installed:
    """The source, then both targets."""
    dialog = await Dialog.open(api, CONFIG, "media_pipeline")
    await dialog.choose("icloud")
    await dialog.submit("icloud", apple_id=icloud.apple_id, password=icloud.password)
    await dialog.submit("code", code=icloud.code)
    await dialog.submit("libraries")
    await dialog.submit("archive", archive=str(places.archive), archive_off_machine=True)
    await dialog.submit("safety")
    created = dialog.created()
    entry_id = created["result"]["entry_id"]

    kind, flow_id = created["next_flow"]
    if kind != "config_subentries_flow":
        raise DemoFailed(f"set-up goes on with {kind}, not with a target")
    first = await Dialog.go_on(api, SUBENTRY, flow_id)
    await first.choose("folder")
    await first.submit("folder", name=USB, path=str(places.usb), content="both", off_machine=False)
    first.created()

    second = await Dialog.open(api, SUBENTRY, [entry_id, "target"])
    await second.choose("sftp")
    log_in = {
        name: value
        for name, value in (("password", sftp.password), ("private_key", sftp.private_key))
        if value
    }
    await second.submit(
        "sftp",
        name=NAS,
        host=sftp.host,
        port=sftp.port,
        username=sftp.username,
        path=f"{sftp.path.rstrip('/')}/{places.nas.name}",
        **log_in,
    )
    shown = second.shown.get("description_placeholders") or {}
    if shown.get("fingerprint") != fingerprint:
        raise DemoFailed(f"the dialog shows the wrong host key: {shown}")
    await second.submit("host_key")
    second.created()
    return Installed(entry_id, await _targets(api, entry_id))


async def _targets(api: HomeAssistantApi, entry_id: str) -> dict[str, str]:
    listed = await api.command("config_entries/subentries/list", entry_id=entry_id)
    return {subentry["title"]: subentry["subentry_id"] for subentry in listed}
