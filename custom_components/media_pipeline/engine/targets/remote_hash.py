"""Letting the server hash its own files through its shell. Imports asyncssh: load it off the loop.

The shell may name files differently from SFTP (a Synology shows ``/photo`` for ``/volume1/photo``)
or may not be there at all. So a probe file with random content is written over SFTP and looked for:
only a folder and a program that print that file's hash are ever trusted.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

import asyncssh

_LOGGER: Final = logging.getLogger(__name__)
# Fastest first: openssl uses the processor's SHA instructions.
_PROGRAMS: Final = ("openssl dgst -sha256 -r", "sha256sum", "shasum -a 256", "sha256 -r")
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]?\./(.+)")
_HASH: Final = re.compile(r"^([0-9a-f]{64})(?![0-9a-f])", re.MULTILINE)
_OF_NOTHING: Final = hashlib.sha256().hexdigest()
_BLOCK: Final = 1 << 20
_PROBE_SECONDS: Final = 20
_SLOWEST: Final = 4 << 20
"""Bytes per second that even a slow server hashes."""
_BATCH_FILES: Final = 5000
_BATCH_BYTES: Final = 8 << 30


@dataclass(frozen=True, slots=True)
class RemoteShell:
    """How to hash at the server."""

    folder: str
    """The target's folder as the shell names it."""
    program: str
    umask: int = 0o022
    """What its new files may not allow."""


async def find_shell(
    conn: asyncssh.SSHClientConnection, root: str, probe: str, sha256: str
) -> RemoteShell | None:
    """Find the folder that holds the file ``probe`` and a program that hashes it to ``sha256``."""
    programs = "\n".join(
        f'echo "{index} $(printf %s\\\\0 {quote("./" + probe)} | xargs -0 {program} 2>/dev/null)"'
        for index, program in enumerate(_PROGRAMS)
    )
    script = (
        f"for d in {' '.join(_folders(root))}; do\n"
        f'if [ -f "$d"/{quote(probe)} ] && cd "$d"; then\n'
        f'echo "umask $(umask)"\necho "folder $d"\n{programs}\nexit 0\nfi\ndone'
    )
    # some input, for without any the library does not end the command's input
    text = await _run(conn, f"sh -c {quote(script)}", b"\n", _PROBE_SECONDS)
    folder: str | None = None
    umask = 0o022
    for line in (text or "").splitlines():
        first, _, rest = line.partition(" ")
        if first == "umask" and re.fullmatch("[0-7]{1,4}", rest):
            umask = int(rest, 8)
        if first == "folder":
            folder = rest
        elif folder and first.isdecimal() and parse_hashes(rest).get(probe) == sha256:
            return RemoteShell(folder, _PROGRAMS[int(first)], umask)
    return None


def _folders(root: str) -> Iterable[str]:
    """Where NAS systems keep what SFTP shows as ``root``; ready for a shell."""
    path = quote(root)
    yield path
    for number in range(1, 9):
        yield f"/volume{number}{path}"
    yield f'"$HOME"{path}'
    for prefix in ("/home", "/homes"):
        if root.startswith(f"{prefix}/"):
            rest = quote(root.removeprefix(prefix))
            yield f'"$HOME"{rest}'
            yield f"/var/services/homes{rest}"
    yield f"/share{path}"
    yield f"/mnt{path}"


async def hash_files(
    conn: asyncssh.SSHClientConnection, shell: RemoteShell, files: Sequence[tuple[str, int]]
) -> dict[str, str]:
    """SHA-256 of files (path, size) below the root; what the server did not answer is left out."""
    hashes: dict[str, str] = {}
    for batch in _batches(files):
        names = b"".join(f"./{path}".encode(errors="surrogateescape") + b"\0" for path, _ in batch)
        script = f"cd {quote(shell.folder)} && exec xargs -0 {shell.program}"
        seconds = slowest_seconds(sum(size for _, size in batch))
        text = await _run(conn, f"sh -c {quote(script)}", names, seconds)
        if text is None:
            break
        asked = {path for path, _ in batch}
        hashes.update((path, h) for path, h in parse_hashes(text).items() if path in asked)
    return hashes


async def hash_start(
    conn: asyncssh.SSHClientConnection, shell: RemoteShell, path: str, size: int
) -> str | None:
    """SHA-256 of the first ``size`` bytes, whole MiB, of a file; None when it was not answered."""
    blocks, rest = divmod(size, _BLOCK)
    if rest or not blocks:
        msg = f"{size} bytes are no number of whole MiB"
        raise ValueError(msg)
    # a server without the program would hash nothing: the answer then is that of no bytes
    read = f"dd if={quote('./' + path)} bs={_BLOCK} count={blocks} 2>/dev/null"
    script = f"cd {quote(shell.folder)} && {read} | {shell.program}"
    text = await _run(conn, f"sh -c {quote(script)}", b"\n", slowest_seconds(size))
    found = _HASH.search(text or "")
    return found[1] if found and found[1] != _OF_NOTHING else None


def slowest_seconds(size: int) -> float:
    """How long even a slow server may take to hash so many bytes."""
    return 120 + size / _SLOWEST


def parse_hashes(text: str) -> dict[str, str]:
    """``<hash> *./<path>`` lines as path → hash; anything else is passed over."""
    found = {}
    for line in text.split("\n"):
        if match := _LINE.fullmatch(line.rstrip("\r")):
            found[match[2]] = match[1]
    return found


def _batches(files: Sequence[tuple[str, int]]) -> Iterable[list[tuple[str, int]]]:
    batch: list[tuple[str, int]] = []
    total = 0
    for file in files:
        if batch and (len(batch) >= _BATCH_FILES or total + file[1] > _BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(file)
        total += file[1]
    if batch:
        yield batch


async def _run(
    conn: asyncssh.SSHClientConnection, command: str, data: bytes, seconds: float
) -> str | None:
    """What a command printed; None when the server does not run commands for us."""
    try:
        done = await conn.run(command, input=data, encoding=None, timeout=seconds)
    except (asyncssh.Error, OSError) as err:
        _LOGGER.debug("The server ran no command: %s", err)
        return None
    out = done.stdout or b""
    return out.decode(errors="surrogateescape") if isinstance(out, bytes) else str(out)
