"""A stand-in, and both versions of pyicloud to try it with."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .client import StandIn

NEWEST = Path(__file__).parents[2] / ".venv" / "pyicloud-newest"
VERSIONS = {"2.7.0": "", "2026.10.1": str(NEWEST)}


class PyicloudError(Exception):
    """What pyicloud raised in its process."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(f"{answer['error']}: {answer['text']}")
        self.kind = str(answer["error"])
        self.text = str(answer["text"])
        self.code = answer["code"]
        self.headers: dict[str, str] = answer["headers"]


class Pyicloud:
    """A process with one version of pyicloud, told what to do line by line."""

    def __init__(self, version: str, path: str) -> None:
        self.version = version
        environment = {
            key: value for key, value in os.environ.items() if "PROXY" not in key.upper()
        }
        if path:
            environment["PYTHONPATH"] = path
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("pyicloud_child.py"))],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, call: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([call, arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise PyicloudError(answer)
        return answer["result"]

    def sign_in(self, server: StandIn, folder: Path, password: str = "") -> Any:
        return self(
            "sign_in",
            env=server.environment,
            apple_id=server.apple_id,
            password=password or server.password,
            folder=str(folder),
        )

    def sign_in_fully(self, server: StandIn, folder: Path) -> None:
        if self.sign_in(server, folder)["requires_2fa"]:
            assert self("enter_code", code=server.code)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="session", params=VERSIONS)
def pyicloud(request: pytest.FixtureRequest) -> Iterator[Pyicloud]:
    version = str(request.param)
    if version != "2.7.0" and not NEWEST.is_dir():
        pytest.fail(f"{NEWEST} is missing: run scripts/setup")
    process = Pyicloud(version, VERSIONS[version])
    assert process("version") == version
    yield process
    process.close()


@pytest.fixture(scope="session")
def shared_server() -> Iterator[StandIn]:
    with StandIn.start(assets=130, real=20, shared_library=5) as server:
        yield server


@pytest.fixture
def server(shared_server: StandIn) -> StandIn:
    shared_server.control("reset")
    return shared_server


@pytest.fixture(scope="session")
def home(pyicloud: Pyicloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def api(pyicloud: Pyicloud, server: StandIn, home: Path) -> Pyicloud:
    """Signed in, as after a restart; a code is needed for the first test only."""
    pyicloud.sign_in_fully(server, home)
    return pyicloud
