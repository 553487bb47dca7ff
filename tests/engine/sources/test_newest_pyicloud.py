"""The same sign-in tests with the other pyicloud that Home Assistant may bring."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NEWEST = ROOT / ".venv" / "pyicloud-newest"
CHOSEN = "once or wrong_code or conflict or restarts or person or refusals or lost or protection"


@pytest.mark.skipif(
    str(NEWEST) in os.environ.get("PYTHONPATH", ""), reason="all tests run with it already"
)
def test_signing_in_with_the_newest_pyicloud() -> None:
    assert NEWEST.is_dir(), "run scripts/setup --all"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and "proxy" not in name.lower()
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:homeassistant"),
            *("-p", "no:cacheprovider", "-k", CHOSEN, "tests/engine/sources/test_session.py"),
        ],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(NEWEST)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-4000:]
