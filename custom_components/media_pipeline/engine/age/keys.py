"""The key of an encrypted target: an age identity, which opens, and its recipient, which locks."""

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ..errors import InvalidEncryptionKey
from . import bech32

_SECRET: Final = "age-secret-key-"  # noqa: S105 - how all of them begin
_PUBLIC: Final = "age"
_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class AgeKey:
    """An X25519 identity."""

    secret: bytes

    @classmethod
    def generate(cls) -> Self:
        """A fresh one, from the system's random numbers."""
        return cls(os.urandom(_LENGTH))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Out of the text of a key file, or the one line of it. Raises InvalidEncryptionKey."""
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        try:
            [line] = lines
            prefix, data = bech32.decode(line)
        except ValueError as err:
            raise InvalidEncryptionKey("no age identity") from err
        if prefix != _SECRET or len(data) != _LENGTH:
            raise InvalidEncryptionKey("no age identity for X25519")
        return cls(data)

    @property
    def text(self) -> str:
        """``AGE-SECRET-KEY-1…``."""
        return bech32.encode(_SECRET, self.secret).upper()

    @property
    def public(self) -> bytes:
        """What locks, 32 bytes."""
        return X25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()

    @property
    def recipient(self) -> str:
        """``age1…``."""
        return bech32.encode(_PUBLIC, self.public)

    def derive(self, purpose: str, data: bytes = b"") -> bytes:
        """32 bytes that only the owner of this key can work out."""
        own = hmac.digest(self.secret, b"media_pipeline/" + purpose.encode(), hashlib.sha256)
        return hmac.digest(own, data, hashlib.sha256)

    def __repr__(self) -> str:
        """Without the secret: a log must not tell it."""
        return "AgeKey(…)"
