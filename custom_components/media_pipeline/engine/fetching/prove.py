"""Is what arrived the announced file, and whole? For both ways of fetching."""

import os
from pathlib import Path

from ..checksums import Digest
from ..errors import ChecksumMismatch, CorruptError, ErrorBody, LengthMismatch
from ..media.container import check_container, is_error_text
from .order import Order, Proof


def prove(order: Order, digest: Digest) -> Proof:
    """Compare a flushed part file with what was announced, and walk its container. Blocking.

    Raises LengthMismatch, ChecksumMismatch, ErrorBody, BrokenContainer.
    """
    part = Path(order.part)
    if (wrong := _compare(order, digest)) is not None:
        if is_error_text(part):
            raise ErrorBody(f"an error text: {wrong.detail}") from wrong
        raise wrong
    proof = Proof(digest.sha256, check_container(part, order.suffix))
    if not order.read_soon:
        _forget(part)
    return proof


def _forget(part: Path) -> None:
    """Give back the memory that the kernel keeps a flushed file in.

    A library is larger than memory. Its files would push out what Home Assistant and other programs
    read again and again, and each would take pages that have to be made ready first.
    """
    with part.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _compare(order: Order, digest: Digest) -> CorruptError | None:
    if digest.size != order.size:
        return LengthMismatch(
            f"{digest.size} bytes instead of {order.size}",
            expected=str(order.size),
            actual=str(digest.size),
        )
    if order.apple is not None and digest.apple != order.apple:
        return ChecksumMismatch("Apple's checksum differs")
    return None
