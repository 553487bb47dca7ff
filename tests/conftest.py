"""For all tests: the collector of Python's garbage does not walk what stays for good."""

import gc

import pytest
import pytest_socket


def pytest_collection_finish() -> None:
    """Leave out what loading made, and look less often: it was a third of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def _unix_sockets(pytestconfig: pytest.Config) -> None:
    """Home Assistant's harness allows them but no connecting; stand-ins are started over one."""
    if pytestconfig.pluginmanager.hasplugin("homeassistant"):
        pytest_socket.enable_socket()
        pytest_socket.socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
        pytest_socket.disable_socket(allow_unix_socket=True)
