"""Trying out all that a target must be able to do, with files that are removed again."""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from ..errors import CopyMismatch, OnlyHandedOver, PipelineError, TargetUnavailableError
from .base import ProofRequest, Target, TargetInfo
from .google_photos import GooglePhotosTarget
from .phone import PhoneTarget

_LOGGER: Final = logging.getLogger(__name__)
_BIG: Final = 4 << 20
_SMALL: Final = 2000
_MTIME: Final = 1_000_000_000.0

type Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step of a trial showed."""

    capability: str
    """One of CAPABILITIES or PHONE_CAPABILITIES."""
    works: bool
    """False when the target failed in it, or lacks it."""
    value: Value = None
    """A number (see CAPABILITIES), a word, or what was found."""
    error: str | None = None
    """Key of the error."""
    seconds: float = 0.0


CAPABILITIES: Final = {
    "connect": "whether it answers and carries our marker",
    "free_space": "bytes, if it can tell",
    "other_machine": "whether the copies survive the loss of this machine",
    "write": "megabytes per second, the flush included",
    "prove": "how: remote_hash or read_back",
    "bring_back": "megabytes per second",
    "know_again": "the same bytes are not sent twice",
    "never_overwrite": "foreign bytes of the same name stay",
    "names": "names with accents, emoji and spaces",
    "upper_and_lower_case": "keeps names apart that differ in case only; not needed",
    "list": "finds what lies there",
    "delete": "removes what is ours",
}
"""What a trial looks at, in this order, and what its value says."""
PHONE_CAPABILITIES: Final = {
    "tell_phone": "how its media library is told of files: termux_media_scan or am_broadcast",
}
"""What it looks at besides when the target is a phone, after ``bring_back``."""


class _Tell(Protocol):
    def __call__(self, found: Value, good: bool = True) -> None: ...


@dataclass(slots=True)
class _Made:
    path: Path
    size: int
    sha256: str


@dataclass(slots=True)
class _Trial:
    target: Target
    folder: Path
    stem: str = field(default_factory=lambda: f"media-pipeline-test-{token_hex(6)}")
    findings: list[Finding] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def step(self, capability: str) -> AsyncIterator[_Tell]:
        """One finding; an error of the target is one too, unless it ends the trial."""
        value: Value = None
        works = True

        def tell(found: Value, good: bool = True) -> None:
            nonlocal value, works
            value, works = found, good

        began = time.monotonic()
        try:
            yield tell
        except PipelineError as err:
            _LOGGER.info("a target failed its test in %s: %s (%s)", capability, err.key, err.detail)
            seconds = time.monotonic() - began
            self.findings.append(Finding(capability, False, None, err.key, round(seconds, 3)))
            if isinstance(err, TargetUnavailableError | OnlyHandedOver):
                raise
        else:
            seconds = time.monotonic() - began
            self.findings.append(Finding(capability, works, value, None, round(seconds, 3)))

    def make(self, size: int) -> _Made:
        data = os.urandom(size)
        path = self.folder / token_hex(6)
        path.write_bytes(data)
        return _Made(path, size, hashlib.sha256(data).hexdigest())

    async def send(self, made: _Made, path: str) -> tuple[str, bool]:
        """Deliver and remember what to remove; the path it got, and whether it was there."""
        self.sent.append(path)
        done = await self.target.deliver(
            made.path, path, size=made.size, sha256=made.sha256, mtime=_MTIME
        )
        if done.path != path:
            self.sent.append(done.path)
        return done.path, done.already_there

    async def remove_all(self) -> None:
        for path in dict.fromkeys(self.sent):
            await self.target.delete(path)


async def try_out(target: Target, private: Path) -> list[Finding]:
    """Connect, write, prove, bring back, list and remove; what each of that showed.

    ``private`` is a folder of ours for the files sent. An error of the target is a finding, never
    raised; what can't be tried after it is missing. Closes the target.
    """
    with TemporaryDirectory(prefix="trial-", dir=private, ignore_cleanup_errors=True) as folder:
        trial = _Trial(target, Path(folder))
        try:
            await _run(trial)
        except OnlyHandedOver, TargetUnavailableError:
            pass  # the last finding says so
        finally:
            try:
                async with asyncio.timeout(60):
                    await _clean_up(trial)
            except TimeoutError:
                _LOGGER.warning("a target did not let go of test files %s*", trial.stem)
            await target.close()
    return trial.findings


async def _clean_up(trial: _Trial) -> None:
    try:
        await trial.remove_all()
    except OnlyHandedOver:
        return
    except PipelineError as err:
        _LOGGER.warning("test files %s* may be left at a target: %s", trial.stem, err.detail)


async def _run(trial: _Trial) -> None:
    info: TargetInfo | None = None
    async with trial.step("connect") as tell:
        info = await trial.target.open()
        tell(True)
    if info is None:
        return
    trial.findings.append(Finding("free_space", info.free_bytes is not None, info.free_bytes))
    trial.findings.append(Finding("other_machine", info.off_machine, info.off_machine))
    if isinstance(trial.target, GooglePhotosTarget):
        return  # what is sent there stays for ever
    big = await asyncio.to_thread(trial.make, _BIG)
    small = await asyncio.to_thread(trial.make, _SMALL)
    path = f"{trial.stem}.bin"
    async with trial.step("write") as tell:
        began = time.monotonic()
        await trial.send(big, path)
        tell(_speed(_BIG, began))
    async with trial.step("prove") as tell:
        [proof] = await trial.target.prove([ProofRequest(path, big.size)])
        _same(proof.sha256, big)
        tell(proof.method.value)
    async with trial.step("bring_back") as tell:
        back, began = trial.folder / "back", time.monotonic()
        await trial.target.fetch(path, back)
        speed = _speed(_BIG, began)
        _same(await asyncio.to_thread(_hash, back), big)
        tell(speed)
    if isinstance(trial.target, PhoneTarget):
        async with trial.step("tell_phone") as tell:
            told = await trial.target.tell([path])
            told.check()
            tell(told.way)
    await _try_names(trial, path, big, small)
    async with trial.step("list") as tell:
        found = {file.path async for file in trial.target.listing() if trial.stem in file.path}
        tell(len(found), path in found)
    async with trial.step("delete") as tell:
        await trial.target.delete(path)
        [proof] = await trial.target.prove([ProofRequest(path, big.size)])
        tell(True, proof.sha256 is None)


async def _try_names(trial: _Trial, path: str, big: _Made, small: _Made) -> None:
    async with trial.step("know_again") as tell:
        again, there = await trial.send(big, path)
        tell(there, there and again == path)
    async with trial.step("never_overwrite") as tell:
        other, _ = await trial.send(small, path)
        [proof] = await trial.target.prove([ProofRequest(path, big.size)])
        _same(proof.sha256, big)
        tell(True, other != path)
    async with trial.step("names") as tell:
        odd = f"{trial.stem} Zoë 日本 👩‍👧.bin"
        got, _ = await trial.send(small, odd)
        [proof] = await trial.target.prove([ProofRequest(got, small.size)])
        _same(proof.sha256, small)
        tell(True)
    async with trial.step("upper_and_lower_case") as tell:
        upper = f"{trial.stem.upper()}.BIN"
        got, _ = await trial.send(small, upper)
        tell(got == upper, True)


def _same(sha256: str | None, made: _Made) -> None:
    if sha256 != made.sha256:
        raise CopyMismatch("a test file came back different")


def _hash(path: Path) -> str:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def _speed(size: int, began: float) -> float:
    """Megabytes per second."""
    return round(size / 1e6 / max(time.monotonic() - began, 1e-6), 2)
