"""Host keys are fetched as they are, and own keys are usable."""

import subprocess
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import InvalidKey, TargetUnreachable
from custom_components.media_pipeline.engine.targets.hostkey import (
    check_private_key,
    fetch_host_key,
    generate_key,
    parse_host_key,
)
from tests.support.sftp_access import free_port

from .place import Place


async def test_fetch(remote: Place) -> None:
    assert remote.server is not None

    key = await fetch_host_key("127.0.0.1", remote.server.port)

    assert key.line == remote.server.host_key
    assert key.algorithm == "ssh-ed25519"
    assert key.fingerprint.startswith("SHA256:")
    assert parse_host_key(f"{key.line} with a comment") == key


async def test_fingerprint_as_openssh_prints_it(lenient: Place, tmp_path: Path) -> None:
    assert lenient.server is not None
    key = await fetch_host_key("127.0.0.1", lenient.server.port)
    path = tmp_path / "key.pub"
    path.write_text(key.line + "\n")
    try:
        out = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")

    assert key.fingerprint in out.stdout.decode()


async def test_nobody_there() -> None:
    with pytest.raises(TargetUnreachable):
        await fetch_host_key("127.0.0.1", free_port(), timeout=2)


async def test_generated_key() -> None:
    private, public = await generate_key()

    await check_private_key(private)
    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" media-pipeline")
    with pytest.raises(InvalidKey):
        await check_private_key(private[:100])
