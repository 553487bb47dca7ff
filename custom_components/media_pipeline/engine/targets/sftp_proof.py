"""Proving what lies at an SFTP target: hashed by the server, or read back.

Imports asyncssh: load it off the loop.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from ..errors import TargetFull, TargetReadOnly
from ..model import ProofMethod
from .base import Proof, ProofRequest
from .paths import check_path
from .remote_hash import hash_files
from .sftp_link import SftpLink
from .sftp_session import Found, SftpSession
from .sftp_transfer import read_back
from .tasks import run_bounded

_LOGGER: Final = logging.getLogger(__name__)
_PARALLEL_READS: Final = 4
_PARALLEL_LOOKS: Final = 256


async def prove(link: SftpLink, requests: Sequence[ProofRequest]) -> list[Proof]:
    """See ``Target.prove``. An unreadable file has a size but no hash."""
    paths = [check_path(request.path) for request in requests]
    session = await link.session()
    await link.check_marker(session)
    found = await look_at(session, paths)
    sizes = {path: there.size for path, there in found.items() if there and there.regular}
    hashes, remote = await _hash(link, session, sizes)
    if len(hashes) < len(found):
        # A disk that vanished meanwhile must not look like files that are gone.
        await link.check_marker(session, thorough=True)
    return [
        Proof(
            path,
            hashes.get(path),
            sizes.get(path),
            ProofMethod.REMOTE_HASH if path in remote else ProofMethod.READ_BACK,
        )
        for path in paths
    ]


async def look_at(session: SftpSession, paths: Sequence[str]) -> dict[str, Found | None]:
    """What lies at many paths, all asked for together."""
    looks = [partial(session.look, path) for path in paths]
    return dict(zip(paths, await run_bounded(looks, _PARALLEL_LOOKS), strict=True))


async def hash_of(link: SftpLink, session: SftpSession, path: str, size: int) -> str | None:
    """SHA-256 of one file that is known to be there; None when it can't be read."""
    hashes, _ = await _hash(link, session, {path: size})
    return hashes.get(path)


async def _hash(
    link: SftpLink, session: SftpSession, sizes: dict[str, int]
) -> tuple[dict[str, str], set[str]]:
    """SHA-256 of files (path → size), and which of them the server hashed itself."""
    hashes: dict[str, str] = {}
    if link.shell is not None and sizes:
        async with link.hashing:
            hashes = await hash_files(session.conn, link.shell, list(sizes.items()))
    remote = set(hashes)
    left = [partial(_read_back, link, session, path) for path in sizes if path not in hashes]
    for path, sha256 in await run_bounded(left, _PARALLEL_READS):
        if sha256 is not None:
            hashes[path] = sha256
    return hashes, remote


async def _read_back(link: SftpLink, session: SftpSession, path: str) -> tuple[str, str | None]:
    try:
        result = await read_back(session, path, link.budget)
    except (TargetFull, TargetReadOnly) as err:  # the server's refusal to read this one
        _LOGGER.warning("A file at an SFTP target can't be read: %s", err)
        await link.check_marker(session, thorough=True)
        return path, None
    return path, result[0] if result else None
