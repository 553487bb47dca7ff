"""Connecting to an SSH server with a pinned host key. Imports asyncssh: load it off the loop."""

import asyncio
import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, override

import asyncssh

from ..config import SftpTargetConfig
from ..errors import (
    HostKeyChanged,
    PipelineError,
    TargetAuthFailed,
    TargetUnreachable,
)
from .hostkey import HostKey, fetch_host_key, parse_host_key, read_private_key
from .known_keys import KnownKeys, clean, fingerprint
from .ssh_line import Line
from .ssh_packets import lighten

_CONNECT_SECONDS: Final = 20
_LOGIN_SECONDS: Final = 60
_KEEPALIVE_SECONDS: Final = 12
"""A server that is silent for four times as long, within a minute, is taken for lost."""
_KEEPALIVE_COUNT: Final = 3
_AES: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
_CHACHA: Final = "chacha20-poly1305@openssh.com"


async def connect(config: SftpTargetConfig, keys: KnownKeys) -> asyncssh.SSHClientConnection:
    """Log in. Raises HostKeyChanged, TargetAuthFailed, TargetUnreachable, InvalidKey or KeyLocked.

    ``keys`` are those that the server may show; it is told what the server shows and announces.
    """
    listener = _Announcements(keys)
    options = await asyncio.to_thread(_options, config, keys, listener)
    try:
        conn = await asyncssh.connect(
            config.host, config.port, config=None, options=options, tunnel=Line()
        )
    except asyncssh.PermissionDenied as err:
        raise TargetAuthFailed(f"{config.host}: {err.reason}", host=config.host) from err
    except (OSError, asyncssh.Error) as err:
        raise await _explain(config, keys, err) from err
    lighten(conn)
    await keys.shown(listener.current)
    return conn


def peer_is_local(conn: asyncssh.SSHClientConnection) -> bool:
    """True when the server runs on this machine: the connection's two ends have one address."""
    peer, own = (conn.get_extra_info(name) for name in ("peername", "sockname"))
    if not peer:
        return False
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or bool(own and own[0] == peer[0])


class _Announcements:
    """Hears which keys a server says it has, over a connection that is proven by one of ours."""

    def __init__(self, keys: KnownKeys) -> None:
        self._keys = keys
        self.conn: asyncssh.SSHClientConnection | None = None

    @property
    def current(self) -> str:
        """The key that the connection is proven by."""
        key = self.conn.get_server_host_key() if self.conn is not None else None
        return _line(key) if key is not None else self._keys.lines[0]

    async def __call__(
        self,
        added: Sequence[asyncssh.SSHKey],
        _removed: Sequence[asyncssh.SSHKey],
        retained: Sequence[asyncssh.SSHKey],
        _revoked: Sequence[asyncssh.SSHKey],
    ) -> None:
        """The library checked the server's signature by each key in ``added``."""
        await self._keys.announced(self.current, [_line(key) for key in (*retained, *added)])


def _line(key: asyncssh.SSHKey) -> str:
    return clean(key.export_public_key("openssh").decode())


def _options(
    config: SftpTargetConfig, known: KnownKeys, listener: _Announcements
) -> asyncssh.SSHClientConnectionOptions:
    """Everything that may block: key derivation, reading /proc. Nothing of ~/.ssh is used."""
    trusted = [asyncssh.import_public_key(parse_host_key(line).line) for line in known.lines]
    keys: list[Any] | None = None
    if config.private_key:
        keys = [read_private_key(config.private_key, config.passphrase)]
    ciphers = (*_AES, _CHACHA) if _has_aes() else (_CHACHA, *_AES)
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        client_factory=partial(_Asked, config.password, listener),
        username=config.username,
        password=config.password or None,
        client_keys=keys,
        known_hosts=(trusted, [], []),
        server_host_keys_handler=listener,
        agent_path=None,
        encryption_algs=list(ciphers),
        compression_algs=["none"],
        keepalive_interval=_KEEPALIVE_SECONDS,
        keepalive_count_max=_KEEPALIVE_COUNT,
        connect_timeout=_CONNECT_SECONDS,
        login_timeout=_LOGIN_SECONDS,
    )


class _Asked(asyncssh.SSHClient):
    """Answers a server that asks for the password in a dialog, in whatever language."""

    def __init__(self, password: str | None, listener: _Announcements) -> None:
        self._password = password
        self._listener = listener

    @override
    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._listener.conn = conn

    @override
    def kbdint_auth_requested(self) -> str | None:
        return "" if self._password else None

    @override
    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        if not prompts:  # only a text to be shown
            return []
        password, self._password = self._password, None  # a second question is about another thing
        (_, shown), *more = prompts
        return None if password is None or shown or more else [password]


def _has_aes() -> bool:
    """Whether the processor computes AES itself; without that ChaCha20 is the faster one."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return "aes" in line.split()
    return True


async def _explain(config: SftpTargetConfig, keys: KnownKeys, err: Exception) -> PipelineError:
    """A failed handshake: another host key, or the network.

    A server that no longer has a key of a known kind just hangs up, so it is asked for its keys
    before the network is blamed.
    """
    refused = isinstance(err, asyncssh.HostKeyNotVerifiable)
    handshake = isinstance(err, asyncssh.Error | ConnectionResetError | BrokenPipeError)
    if not refused and not handshake:
        return TargetUnreachable(f"{config.host}: {err or 'no answer'}", host=config.host)
    if "authentication failures" in str(err):
        return TargetAuthFailed(f"{config.host}: {err}", host=config.host)
    shown = await _shown_key(config, keys)
    if not refused and (shown is None or shown.line in keys.lines):
        return TargetUnreachable(f"{config.host}: {err}", host=config.host)
    expected = fingerprint(keys.lines[0])
    return HostKeyChanged(
        f"{config.host} shows {shown.fingerprint if shown else 'another key'}, not {expected}",
        host=config.host,
        expected=expected,
        found=shown.fingerprint if shown else "?",
    )


async def _shown_key(config: SftpTargetConfig, keys: KnownKeys) -> HostKey | None:
    known = [asyncssh.import_public_key(line) for line in keys.lines]
    same_kind = [algorithm.decode() for key in known for algorithm in key.sig_algorithms]
    for algorithms in (same_kind, []):
        with suppress(TargetUnreachable):
            return await fetch_host_key(config.host, config.port, algorithms=algorithms)
    return None
