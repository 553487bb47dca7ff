"""Telling a phone of files: by Termux's command, else by broadcasts, and never for long.

The commands are real programs that a real SSH server runs.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from custom_components.media_pipeline.engine.errors import PhoneNotTold, ScanHung, ScanMissing
from custom_components.media_pipeline.engine.targets import phone_scan
from custom_components.media_pipeline.engine.targets.base import TargetIdentity
from custom_components.media_pipeline.engine.targets.phone import PhoneTarget
from custom_components.media_pipeline.engine.targets.phone_scan import Told, Way, Wrong
from custom_components.media_pipeline.engine.targets.trial import (
    CAPABILITIES,
    PHONE_CAPABILITIES,
    Finding,
    try_out,
)
from tests.support.phone import BROADCASTER, DENYING, HANGING, SCANNER, Phone

from ..targets.conftest import need_sshd

FAILING = "#!/bin/sh\nexit 1\n"
NAMES = ["2024/05/it's 100%.jpg", "2024/05/Zoë 日本 #1?.heic", "2024/05/Error.mov"]


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    need_sshd()
    root = tmp_path / "dcim of the phone"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"photo")
    phone = await Phone(root, tmp_path / "phone").start()
    yield phone
    await phone.close()


@pytest.fixture
async def target(phone: Phone, tmp_path: Path) -> AsyncIterator[PhoneTarget]:
    (tmp_path / "dcim").symlink_to(phone.root)  # as in Termux
    config = phone.target_config(tmp_path / "dcim", scan_seconds=1)
    target = PhoneTarget(config, TargetIdentity())
    yield target
    await target.close()


def all_of(phone: Phone) -> list[str]:
    return [str(phone.root / name) for name in NAMES]


async def test_the_command_that_is_made_for_it(phone: Phone, target: PhoneTarget) -> None:
    phone.give_am(BROADCASTER)
    assert await target.tell(NAMES) == Told(tuple(NAMES), Way.TERMUX, None)
    assert phone.told == all_of(phone), "by their real paths"
    assert phone.broadcasts == []


@pytest.mark.parametrize(
    ("scanner", "wrong"),
    [(HANGING, Wrong.HUNG), (None, Wrong.MISSING), (FAILING, Wrong.FAILED)],
)
async def test_broadcasts_are_the_next_best(
    phone: Phone, target: PhoneTarget, scanner: str | None, wrong: Wrong
) -> None:
    phone.give_scanner(scanner)
    phone.give_am(BROADCASTER)
    told = await target.tell(NAMES)
    assert told == Told(tuple(NAMES), Way.BROADCAST, wrong)
    told.check()
    assert [unquote(uri) for uri in phone.broadcasts] == [
        f"file://{path}" for path in all_of(phone)
    ]
    assert all(uri.isascii() and not set(uri) & set(" #?'") for uri in phone.broadcasts)


async def test_what_hung_once_is_not_waited_for_again(phone: Phone, target: PhoneTarget) -> None:
    phone.give_scanner(HANGING)
    phone.give_am(BROADCASTER)
    for _ in range(3):
        assert (await target.tell(NAMES)).way is Way.BROADCAST
    assert phone.hung == 1, "tried once in a connection"
    await target.close()
    phone.give_scanner(SCANNER)
    assert (await target.tell(NAMES)).way is Way.TERMUX, "and anew in the next"


@pytest.mark.parametrize("am", [None, FAILING, DENYING, "#!/bin/sh\n"])
@pytest.mark.parametrize("scanner", [None, FAILING])
async def test_nothing_works(
    phone: Phone, target: PhoneTarget, scanner: str | None, am: str | None
) -> None:
    """``am`` ends with status 0 whatever happened, so what it says is read."""
    phone.give_scanner(scanner)
    phone.give_am(am)
    told = await target.tell(NAMES)
    assert (told.paths, told.way) == ((), None)
    with pytest.raises(ScanMissing if scanner is None else PhoneNotTold) as caught:
        told.check()
    assert caught.value.key == ("scan_missing" if scanner is None else "scan_failed")
    phone.give_scanner(SCANNER)
    assert (await target.tell(NAMES)).way is Way.TERMUX, "mended meanwhile"


async def test_both_hang(phone: Phone, target: PhoneTarget) -> None:
    phone.give_scanner(HANGING)
    phone.give_am(HANGING)
    began = time.monotonic()
    told = await target.tell(NAMES)
    assert time.monotonic() - began < 30, "not a time limit for each file"
    with pytest.raises(ScanHung):
        told.check()


async def test_one_refusal_is_not_all(phone: Phone, target: PhoneTarget) -> None:
    phone.give_scanner(None)
    refusing = BROADCASTER.replace(
        "\necho", '\ncase "$uri" in *Error*) echo "Error: no"; exit 0;; esac\necho', 1
    )
    phone.give_am(refusing)
    told = await target.tell(NAMES)
    assert told == Told(tuple(NAMES[:2]), Way.BROADCAST, Wrong.MISSING)


async def test_slow_is_not_hanging(
    phone: Phone, target: PhoneTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old phones take a second for each broadcast: a command that runs out of time goes on."""
    monkeypatch.setattr(phone_scan, "_MORE_SECONDS", 0)
    target._config = replace(target._config, scan_seconds=2)
    phone.give_scanner(None)
    phone.give_am(BROADCASTER.replace("\necho", "\nsleep 0.3\necho", 1))
    names = [f"{number}.jpg" for number in range(9)]
    told = await target.tell(names)
    assert told.paths == tuple(names)
    assert {Path(uri).name for uri in phone.broadcasts} == set(names)


async def test_a_server_that_runs_no_commands(phone: Phone, target: PhoneTarget) -> None:
    await phone.stop()
    phone._internal_only = True
    await phone.start()
    told = await target.tell(NAMES)
    assert told == Told((), None, Wrong.FAILED)


async def test_the_test_of_a_target_says_how(
    phone: Phone, target: PhoneTarget, tmp_path: Path
) -> None:
    async def try_it() -> Finding:
        findings = await try_out(target, tmp_path)
        assert {finding.capability for finding in findings} == {*CAPABILITIES, *PHONE_CAPABILITIES}
        (found,) = [finding for finding in findings if finding.capability in PHONE_CAPABILITIES]
        return found

    found = await try_it()
    assert (found.works, found.value, found.error) == (True, "termux_media_scan", None)
    phone.give_scanner(None)
    phone.give_am(BROADCASTER)
    found = await try_it()
    assert (found.works, found.value, found.error) == (True, "am_broadcast", None)
    phone.give_am(DENYING)
    found = await try_it()
    assert (found.works, found.value, found.error) == (False, None, "scan_missing")
    assert not list(phone.root.rglob("media-pipeline-test*"))
