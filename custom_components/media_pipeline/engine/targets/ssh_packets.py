"""Sending many bytes over asyncssh for less: fewer copies, fewer system calls, no filler.

Imports asyncssh: load it off the loop. The library does the same for every packet of 32 KiB with
seven copies, a new cipher and a system call. This reaches into the library; where that looks
otherwise than known, ``lighten`` leaves the connection as it is.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import asyncssh
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE
from asyncssh.encryption import GCMEncryption
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TOGETHER: Final = 32
"""Pieces for one system call (two for each packet): more keep the server waiting for the first."""
_NO_FILLER: Final = ("-gcm", "chacha20")
_NEEDED: Final = (
    "_send", "_send_encryption", "_send_seq", "_send_enchdrlen", "_send_blocksize", "_compressor",
    "_kex_complete", "_auth_complete", "_rekey_bytes", "_rekey_bytes_sent", "_rekey_seconds",
    "_rekey_time", "_transport",
)  # fmt: skip


def lighten(conn: asyncssh.SSHClientConnection) -> None:
    """Make sending cheaper on a connection that is logged in."""
    cipher = str(conn.get_extra_info("send_cipher"))
    known = all(hasattr(conn, name) for name in _NEEDED)
    if not known or not any(word in cipher for word in _NO_FILLER):
        return
    _Light(conn).take_over()


def in_bursts(channel: Any) -> Callable[[bytes], None]:
    """Return what writes to a channel that was just opened: only when a quarter of it is free.

    A server makes room in small steps, and the library would send three packets for each, waking it
    each time. What is under way meanwhile keeps it busy. The bytes are not copied, so they must
    stay as they are.
    """
    names = (
        "_flush_send_buf", "_send_buf", "_send_buf_len", "_send_chan", "_send_pktsize",
        "_send_state", "_send_window", "_pause_resume_writing", "_conn",
    )  # fmt: skip
    if not all(hasattr(channel, name) for name in names):
        return cast("Callable[[bytes], None]", channel.write)
    flush, enough = channel._flush_send_buf, channel._send_window // 4

    def flush_later() -> None:
        wanted = min(enough, channel._send_buf_len)
        if channel._send_window >= wanted or channel._send_state != "open":
            _send_slices(channel)
            flush()
        else:  # what waits must hold up its writer: the rest of the file would come into memory
            channel._pause_resume_writing()

    def write(data: bytes) -> None:
        if channel._send_state != "open":
            raise BrokenPipeError("the channel is not open for sending")
        channel._send_buf.append((memoryview(data), None))
        channel._send_buf_len += len(data)
        flush_later()

    channel._flush_send_buf = flush_later
    return write


def _send_slices(channel: Any) -> None:
    """What the library does with what waits, without four of its copies."""
    while channel._send_buf and channel._send_window:  # neither is left once it is closed
        data, kind = channel._send_buf[0]
        size = min(channel._send_window, channel._send_pktsize, len(data))
        if size < len(data):
            channel._send_buf[0] = data[size:], kind
        else:
            del channel._send_buf[0]
        channel._send_buf_len -= size
        channel._send_window -= size
        head = channel._send_chan.to_bytes(4) + size.to_bytes(4)
        channel._conn.send_packet(MSG_CHANNEL_DATA, head, data[:size], handler=channel)


class _Light:
    """Stands before the library's own sending. On the connection's loop."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._packet = conn.send_packet
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._cipher: Any = None
        self._seal = AESGCM(bytes(16))

    def take_over(self) -> None:
        self._conn.send_packet, self._conn._send = self.send_packet, self.send

    def send_packet(self, kind: int, *args: bytes, **more: Any) -> None:
        """Leave out the empty packet that the library sends before every other one.

        It protects the chained initial values of CBC ciphers. AES-GCM and ChaCha20 have none; there
        it protects nothing (OpenSSH sends none) and costs a tenth of the processor time.
        """
        if kind == MSG_CHANNEL_DATA and self._is_plain():
            self._send_data(args)
        elif kind != MSG_IGNORE:
            self._packet(kind, *args, **more)

    def _is_plain(self) -> bool:
        """Whether nothing but encrypting is to be done: no new keys now, no compression."""
        conn = self._conn
        if type(conn._send_encryption) is not GCMEncryption or conn._compressor:
            return False
        if not (conn._kex_complete and conn._auth_complete):
            return False
        due = conn._rekey_seconds and time.monotonic() >= conn._rekey_time
        return not due and conn._rekey_bytes_sent < conn._rekey_bytes

    def _send_data(self, args: tuple[bytes, ...]) -> None:
        """One packet as in RFC 4253 and RFC 5647; padding need not be random under AES-GCM."""
        conn = self._conn
        size = 1 + sum(map(len, args))
        padding = -(conn._send_enchdrlen + size) % conn._send_blocksize
        if padding < 4:
            padding += conn._send_blocksize
        packet = b"".join((bytes((padding, MSG_CHANNEL_DATA)), *args, bytes(padding)))
        head = len(packet).to_bytes(4, "big")
        cipher = conn._send_encryption._cipher
        if cipher is not self._cipher:  # new keys
            self._cipher, self._seal = cipher, AESGCM(cipher._key)
        sealed = self._seal.encrypt(cipher._iv, packet, head)
        cipher._update_iv()
        conn._send_seq = (conn._send_seq + 1) & 0xFFFFFFFF
        conn._rekey_bytes_sent += len(packet)
        self.send(head)
        self.send(sealed)

    def send(self, data: bytes) -> None:
        """Hand the bytes of one moment to the system with one call.

        One for each packet wakes the server for each, and costs both ends more than encrypting.
        """
        self._waiting.append(data)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._flush)
        elif len(self._waiting) >= _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and self._conn._transport:
            with suppress(ConnectionError):  # as the library: the loss is told on its own
                self._conn._transport.writelines(waiting)
