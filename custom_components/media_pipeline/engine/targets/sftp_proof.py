"""Proving what lies at an SFTP target: hashed by the server, or read back.

Imports asyncssh: load it off the loop.
"""

import logging
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from ..errors import TargetFull, TargetReadOnly
from ..model import ProofMethod
from .base import Proof, ProofRequest
from .paths import check_path
from .remote_hash import hash_files, hash_start
from .sftp_link import SftpLink
from .sftp_session import Found, SftpSession
from .sftp_transfer import read_back
from .tasks import run_bounded, run_together

_LOGGER: Final = logging.getLogger(__name__)
_PARALLEL_READS: Final = 4
_PARALLEL_LOOKS: Final = 256


async def prove(link: SftpLink, requests: Sequence[ProofRequest]) -> list[Proof]:
    """See ``Target.prove``. An unreadable file has a size but no hash."""
    paths = [check_path(request.path) for request in requests]
    session = await link.session()
    await link.check_marker(session)
    # both at once: what turns out to be no file of its own is left out afterwards
    asked = {request.path: request.size for request in requests}
    found: dict[str, Found | None] = {}
    remote: dict[str, str] = {}

    async def look() -> None:
        found.update(await look_at(session, paths))

    async def hash_() -> None:
        remote.update(await _hash_there(link, session, asked))

    await run_together([look(), hash_()])
    sizes = {path: there.size for path, there in found.items() if there and there.regular}
    hashes = {path: sha256 for path, sha256 in remote.items() if path in sizes}
    hashes |= await _read_all_back(link, session, sizes.keys() - hashes.keys())
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
    return (await told_of(link, session, path, size))[0]


async def told_of(
    link: SftpLink, session: SftpSession, path: str, size: int
) -> tuple[str | None, ProofMethod]:
    """As ``hash_of``, and how it was found out."""
    if hashes := await _hash_there(link, session, {path: size}):
        return hashes.get(path), ProofMethod.REMOTE_HASH
    hashes = await _read_all_back(link, session, {path})
    return hashes.get(path), ProofMethod.READ_BACK


async def hash_of_start(link: SftpLink, session: SftpSession, path: str, size: int) -> str | None:
    """SHA-256 of the first ``size`` bytes, whole MiB, of a file; None when they can't be read."""
    if link.shell is not None and not link.config.rules.read_back:
        async with link.hashing:
            sha256 = await hash_start(session.conn, link.shell, path, size)
        if sha256 is not None:
            return sha256
    return (await _read_back(link, session, path, size))[1]


async def _hash_there(
    link: SftpLink, session: SftpSession, sizes: dict[str, int]
) -> dict[str, str]:
    """What the server says of files (path → about how big); empty when it has no shell.

    Empty too when the target's rules want everything read back.
    """
    if link.shell is None or link.config.rules.read_back or not sizes:
        return {}
    async with link.hashing:
        return await hash_files(session.conn, link.shell, list(sizes.items()))


async def _read_all_back(
    link: SftpLink, session: SftpSession, paths: Collection[str]
) -> dict[str, str]:
    work = [partial(_read_back, link, session, path) for path in sorted(paths)]
    found = await run_bounded(work, _PARALLEL_READS)
    return {path: sha256 for path, sha256 in found if sha256 is not None}


async def _read_back(
    link: SftpLink, session: SftpSession, path: str, limit: int | None = None
) -> tuple[str, str | None]:
    try:
        result = await read_back(session, path, link.budget, limit)
    except (TargetFull, TargetReadOnly) as err:  # the server's refusal to read this one
        _LOGGER.warning("A file at an SFTP target can't be read: %s", err)
        await link.check_marker(session, thorough=True)
        return path, None
    return path, result[0] if result else None
