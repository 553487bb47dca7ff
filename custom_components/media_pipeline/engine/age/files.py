"""Encrypting and decrypting one file, piece by piece. All of it blocks.

Two things differ from what the ``age`` command does, and neither shows in the format. What it takes
from random numbers (file key, ephemeral key, nonce) is derived from our key and the SHA-256 of the
bytes, so the same bytes always become the same file: an upload that was cut can go on, and what is
there already is recognised. Whoever looks on learns only which files are equal. And no bytes may
be published but those with that very SHA-256, or two texts would share a key: ``encrypt`` raises.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import EncryptedFileDamaged, SourceFileChanged, WrongEncryptionKey
from .keys import AgeKey

_VERSION: Final = b"age-encryption.org/v1"
_WRAP_INFO: Final = b"age-encryption.org/v1/X25519"
_PIECE: Final = 64 * 1024
_TAG: Final = 16
_FILE_KEY: Final = 16
_NONCE: Final = 16
_ZERO: Final = bytes(12)
_MAX_LINE: Final = 4096
_MAX_LINES: Final = 1000

type Pieces = Callable[[bytes], object]


def encrypt(
    read: Callable[[int], bytes], write: Pieces, key: AgeKey, sha256: str
) -> tuple[int, str, str]:
    """Read plain bytes, write the file; gives its size, its SHA-256 and that of the plain bytes.

    Raises SourceFileChanged at the end unless the plain bytes have ``sha256``: what was written is
    then to be thrown away.
    """
    seed = bytes.fromhex(sha256)
    file_key = key.derive("file key", seed)[:_FILE_KEY]
    nonce = key.derive("nonce", seed)[:_NONCE]
    ephemeral = X25519PrivateKey.from_private_bytes(key.derive("ephemeral", seed))
    plain, stored = hashlib.sha256(), hashlib.sha256()
    size = 0

    def out(data: bytes) -> None:
        nonlocal size
        stored.update(data)
        size += len(data)
        write(data)

    out(_header(file_key, ephemeral, key.public) + nonce)
    lock = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    counter, piece = 0, _exactly(read, _PIECE)
    while True:
        following = _exactly(read, _PIECE) if len(piece) == _PIECE else b""
        plain.update(piece)
        out(lock.encrypt(_counted(counter, last=not following), piece, None))
        if not following:
            break
        counter, piece = counter + 1, following
    if plain.hexdigest() != sha256:
        raise SourceFileChanged("the bytes to encrypt are not those that were proven")
    return size, stored.hexdigest(), plain.hexdigest()


def decrypt(read: Callable[[int], bytes], write: Pieces, key: AgeKey) -> tuple[int, str]:
    """Read a file, write the plain bytes, each piece only when proven; gives size and SHA-256.

    Raises WrongEncryptionKey (nothing was written then) and EncryptedFileDamaged.
    """
    stream = _Stream(read)
    file_key = _open_header(stream, key)
    nonce = stream.take(_NONCE)
    if len(nonce) != _NONCE:
        raise EncryptedFileDamaged("the file ends after its header")
    lock = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    digest, size, counter = hashlib.sha256(), 0, 0
    piece = stream.take(_PIECE + _TAG)
    while True:
        following = stream.take(_PIECE + _TAG) if len(piece) == _PIECE + _TAG else b""
        try:
            plain = lock.decrypt(_counted(counter, last=not following), piece, None)
        except InvalidTag as err:
            raise EncryptedFileDamaged(f"piece {counter} is damaged, or the file was cut") from err
        if not plain and counter:
            raise EncryptedFileDamaged("an empty piece at the end")
        digest.update(plain)
        size += len(plain)
        write(plain)
        if not following:
            return size, digest.hexdigest()
        counter, piece = counter + 1, following


class _Stream:
    """Lines first, then bytes."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._ahead = b""

    def line(self) -> bytes:
        while b"\n" not in self._ahead:
            more = self._read(_MAX_LINE) if len(self._ahead) <= _MAX_LINE else b""
            if not more:
                raise EncryptedFileDamaged("this is no age file")
            self._ahead += more
        line, _, self._ahead = self._ahead.partition(b"\n")
        return line

    def take(self, size: int) -> bytes:
        first, self._ahead = self._ahead[:size], self._ahead[size:]
        return first + _exactly(self._read, size - len(first))


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """As many bytes as there are, at most ``size``."""
    parts = []
    while size and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _header(file_key: bytes, ephemeral: X25519PrivateKey, public: bytes) -> bytes:
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    wrap = _derive(shared, share + public, _WRAP_INFO)
    body = ChaCha20Poly1305(wrap).encrypt(_ZERO, file_key, None)
    text = b"\n".join([_VERSION, b"-> X25519 " + _text(share), _text(body), b"---"])
    return text + b" " + _text(_mac(file_key, text)) + b"\n"


def _open_header(stream: _Stream, key: AgeKey) -> bytes:
    """The file key. Every stanza is looked at, so files of several recipients open too."""
    lines = [stream.line()]
    if lines[0] != _VERSION:
        raise EncryptedFileDamaged("this is no age file")
    stanzas: list[tuple[list[bytes], bytes]] = []
    while not (line := stream.line()).startswith(b"--- "):
        lines.append(line)
        if len(lines) > _MAX_LINES:
            raise EncryptedFileDamaged("this is no age file")
        if line.startswith(b"-> "):
            stanzas.append((line.split(b" ")[1:], b""))
        elif stanzas:
            arguments, body = stanzas[-1]
            stanzas[-1] = (arguments, body + line)
    file_key = next(
        (found for words, body in stanzas if (found := _unwrap(words, body, key)) is not None), None
    )
    if file_key is None:
        raise WrongEncryptionKey("none of the file's recipients is this key")
    said = _data(line.removeprefix(b"--- "))
    if not hmac.compare_digest(said, _mac(file_key, b"\n".join([*lines, b"---"]))):
        raise EncryptedFileDamaged("the header is damaged")
    return file_key


def _unwrap(words: list[bytes], body: bytes, key: AgeKey) -> bytes | None:
    if len(words) != 2 or words[0] != b"X25519":
        return None
    share = _data(words[1])
    try:
        shared = X25519PrivateKey.from_private_bytes(key.secret).exchange(
            X25519PublicKey.from_public_bytes(share)
        )
        wrap = _derive(shared, share + key.public, _WRAP_INFO)
        file_key = ChaCha20Poly1305(wrap).decrypt(_ZERO, _data(body), None)
    except InvalidTag, ValueError:
        return None
    return file_key if len(file_key) == _FILE_KEY else None


def _mac(file_key: bytes, text: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), text, hashlib.sha256)


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=salt, info=info).derive(secret)


def _counted(counter: int, *, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])


def _text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _data(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as err:
        raise EncryptedFileDamaged("the header is damaged") from err
    if _text(data) != text:  # the last letter has bits that say nothing; age wants them to be 0
        raise EncryptedFileDamaged("the header is not written as it should be")
    return data
