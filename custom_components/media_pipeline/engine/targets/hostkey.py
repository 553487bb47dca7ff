"""SSH keys: the server's, to be shown and pinned, and a fresh one for us to log in with."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import HostKeyChanged, InvalidKey, KeyLocked, TargetUnreachable


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key."""

    line: str
    """OpenSSH's one-line format, without comment: what is pinned."""
    algorithm: str
    """E.g. ``ssh-ed25519``."""
    fingerprint: str
    """``SHA256:...``, as ``ssh-keygen -l`` prints it."""


async def fetch_host_key(
    host: str, port: int = 22, timeout: float = 15.0, algorithms: Sequence[str] = ()
) -> HostKey:
    """Ask a server for its key without logging in; raises TargetUnreachable.

    ``algorithms`` restricts the signature algorithms offered, to ask for a certain key of several.
    """
    await load_library()
    import asyncssh

    try:
        async with asyncio.timeout(timeout):
            key = await asyncssh.get_server_host_key(
                host, port, config=None, server_host_key_algs=list(algorithms) or ()
            )
    except (OSError, asyncssh.Error) as err:
        raise TargetUnreachable(f"{host}:{port}: {err or 'no answer'}", host=host) from err
    if key is None:
        raise TargetUnreachable(f"{host}:{port} showed no host key", host=host)
    return parse_host_key(key.export_public_key("openssh").decode())


def parse_host_key(line: str) -> HostKey:
    """Read a pinned line; raises HostKeyChanged when it is no key. Blocking: imports asyncssh."""
    import asyncssh

    try:
        key = asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError) as err:
        raise HostKeyChanged(f"the stored host key can't be read: {err}") from err
    # a comment would make two lines of one key differ
    clean = " ".join(key.export_public_key("openssh").decode().split()[:2])
    return HostKey(clean, key.algorithm.decode(), key.get_fingerprint())


async def generate_key(comment: str = "media-pipeline") -> tuple[str, str]:
    """A fresh Ed25519 key: the private one in OpenSSH's format, and a line for authorized_keys."""
    await load_library()
    return await asyncio.to_thread(_generate, comment)


def _generate(comment: str) -> tuple[str, str]:
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return (
        key.export_private_key("openssh").decode(),
        key.export_public_key("openssh").decode().strip(),
    )


async def check_private_key(private_key: str, passphrase: str | None = None) -> None:
    """Raise InvalidKey unless it is a private key, KeyLocked unless the passphrase opens it."""
    await load_library()
    await asyncio.to_thread(read_private_key, private_key, passphrase)


def read_private_key(private_key: str, passphrase: str | None) -> object:
    """The key for asyncssh. Blocking: opening an encrypted key takes time on purpose."""
    import asyncssh

    try:
        return asyncssh.import_private_key(private_key.strip() + "\n", passphrase or None)
    except asyncssh.KeyEncryptionError as err:
        raise KeyLocked(f"the passphrase does not open the private key: {err}") from err
    except (asyncssh.KeyImportError, ValueError) as err:
        if not passphrase and "passphrase" in str(err).lower():
            raise KeyLocked(f"the private key has a passphrase: {err}") from err
        raise InvalidKey(f"the private key can't be read: {err}") from err


async def load_library() -> None:
    """Import asyncssh and all of ours that needs it in a thread: it takes most of a second."""
    await asyncio.to_thread(_import)


def _import() -> None:
    from . import (  # noqa: F401
        remote_hash,
        sftp_copy,
        sftp_delivery,
        sftp_many,
        sftp_reading,
        sftp_session,
        sftp_setup,
        sftp_sweep,
        ssh_connect,
    )
