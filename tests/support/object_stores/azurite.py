"""Azure Blob Storage as Microsoft's own emulator plays it (the npm package azurite)."""

import base64
import hashlib
import hmac
import shutil
from email.utils import formatdate
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

from custom_components.media_pipeline.engine.targets.object_store_config import AzureTargetConfig
from tests.support.sftp_access import free_port

from .access import Bucket
from .processes import start_server

_MAIN = Path(__file__).parents[3] / ".venv/azurite/node_modules/azurite/dist/src/blob/main.js"
_ACCOUNT = "devstoreaccount1"
# The well-known key of the emulator, the same on every machine of the world.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2021-08-06"


def find_azurite() -> list[str] | None:
    """The command that starts it; None where scripts/setup --all could not install it."""
    node = shutil.which("node") or shutil.which("node", path=str(_MAIN.parents[6] / "bin"))
    return [node, str(_MAIN)] if node and _MAIN.exists() else None


@cache
def azurite_port() -> int:
    """The port of the one server of this test session."""
    command = find_azurite()
    assert command is not None
    port = free_port()
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    start_server([*command, *options, "--blobHost", "127.0.0.1", "--blobPort", str(port)], port)
    return port


def azure_container() -> Bucket:
    """A fresh container; its target uses a prefix in it."""
    name = f"photos-{uuid4().hex[:12]}"
    date = formatdate(usegmt=True)
    to_sign = (
        f"PUT{'\n' * 12}x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
        f"/{_ACCOUNT}/{_ACCOUNT}/{name}\nrestype:container"
    )
    # twelve empty standard headers lie between the method and the x-ms ones
    signature = base64.b64encode(
        hmac.digest(base64.b64decode(_KEY), to_sign.encode(), hashlib.sha256)
    ).decode()
    connection = HTTPConnection("127.0.0.1", azurite_port(), timeout=20)
    headers = {
        "x-ms-date": date,
        "x-ms-version": _VERSION,
        "Authorization": f"SharedKey {_ACCOUNT}:{signature}",
    }
    connection.request("PUT", f"/{_ACCOUNT}/{name}?restype=container", headers=headers)
    status = connection.getresponse().status
    connection.close()
    assert status == 201
    values = {
        "bucket": name,
        "prefix": "häuser/our photos",
        "endpoint": f"http://127.0.0.1:{azurite_port()}/{_ACCOUNT}",
        "account": _ACCOUNT,
        "account_key": _KEY,
    }
    return Bucket(AzureTargetConfig, values)
