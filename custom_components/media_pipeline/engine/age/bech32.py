"""Bech32 (BIP 173) without its limit of length: how age writes keys."""

from typing import Final

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK_LENGTH: Final = 6


def encode(prefix: str, data: bytes) -> str:
    """``age1…``: lower case; the caller turns it up where wanted."""
    values = _regroup(data, 8, 5, pad=True)
    check = _polymod([*_expand(prefix), *values, *[0] * _CHECK_LENGTH]) ^ 1
    values += [(check >> 5 * (5 - i)) & 31 for i in range(_CHECK_LENGTH)]
    return f"{prefix}1{''.join(_ALPHABET[value] for value in values)}"


def decode(text: str) -> tuple[str, bytes]:
    """(prefix, data). Raises ValueError, also for a single wrong letter."""
    if text not in (text.lower(), text.upper()):
        raise ValueError("letters of both cases")
    prefix, one, rest = text.lower().rpartition("1")
    if not one or not prefix or len(rest) < _CHECK_LENGTH:
        raise ValueError("too short")
    values = [_ALPHABET.index(letter) for letter in rest]
    if _polymod([*_expand(prefix), *values]) != 1:
        raise ValueError("a letter is wrong")
    return prefix, bytes(_regroup(values[:-_CHECK_LENGTH], 5, 8, pad=False))


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                check ^= generator
    return check


def _regroup(data: bytes | list[int], size: int, wanted: int, *, pad: bool) -> list[int]:
    buffer = bits = 0
    found = []
    for value in data:
        buffer = buffer << size | value
        bits += size
        while bits >= wanted:
            bits -= wanted
            found.append(buffer >> bits & (1 << wanted) - 1)
    rest = buffer & (1 << bits) - 1
    if pad and bits:
        found.append(rest << wanted - bits)
    elif not pad and (bits >= size or rest):
        raise ValueError("bits left over")
    return found
