"""Whether a server counts as another machine: only when that is sure."""

import socket

import pytest

from custom_components.media_pipeline.engine.targets.this_machine import is_this_machine


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("172.30.33.7", True),  # an add-on of Home Assistant OS
        ("no-such-host.invalid", True),  # nobody can tell
        ("192.0.2.7", False),
        ("2001:db8::7", False),
    ],
)
async def test_hosts(host: str, here: bool) -> None:
    assert await is_this_machine(host) is here


async def test_an_address_of_our_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        own = probe.getsockname()[0]

    assert await is_this_machine(own)
