"""Our files open with the ``age`` command and its files with us; anything else is refused."""

import hashlib
import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.media_pipeline.engine.age.files import decrypt, encrypt
from custom_components.media_pipeline.engine.age.keys import AgeKey
from custom_components.media_pipeline.engine.errors import (
    EncryptedFileDamaged,
    InvalidEncryptionKey,
    SourceFileChanged,
    WrongEncryptionKey,
)

PIECE = 64 * 1024
SIZES = (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 1_000_003)


def need_age() -> str:
    if (command := shutil.which("age")) is None:
        if os.environ.get("CI"):
            pytest.fail("age must be installed where CI runs: scripts/setup --all")
        pytest.skip("age is not installed: scripts/setup --all")
    return command


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lock(data: bytes, key: AgeKey) -> bytes:
    out = io.BytesIO()
    size, stored, plain = encrypt(io.BytesIO(data).read, out.write, key, sha256(data))
    made = out.getvalue()
    assert (size, stored, plain) == (len(made), sha256(made), sha256(data))
    return made


def unlock(data: bytes, key: AgeKey) -> bytes:
    out = io.BytesIO()
    assert decrypt(io.BytesIO(data).read, out.write, key) == (
        len(out.getvalue()),
        sha256(out.getvalue()),
    )
    return out.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_the_age_command_opens_ours(tmp_path: Path, size: int) -> None:
    age, key, data = need_age(), AgeKey.generate(), random.Random(size).randbytes(size)
    (tmp_path / "key.txt").write_text(f"# public key: {key.recipient}\n{key.text}\n")
    (tmp_path / "photo.age").write_bytes(lock(data, key))
    done = subprocess.run(
        [age, "-d", "-i", "key.txt", "photo.age"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == data


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_the_age_command_made(tmp_path: Path, size: int) -> None:
    age, key, data = need_age(), AgeKey.generate(), random.Random(size).randbytes(size)
    made = subprocess.run(
        [age, "-r", AgeKey.generate().recipient, "-r", key.recipient],
        input=data,
        capture_output=True,
        check=True,
    ).stdout
    assert unlock(made, key) == data


def test_keys_of_age_keygen_are_ours() -> None:
    need_age()
    made = subprocess.run(["age-keygen"], capture_output=True, check=True, text=True).stdout
    key = AgeKey.parse(made)
    assert f"# public key: {key.recipient}\n" in made
    assert key.text in made
    assert AgeKey.parse(key.text.lower()) == key


@pytest.mark.parametrize(
    "text",
    ["", "x", "AGE-SECRET-KEY-1", AgeKey(bytes(32)).recipient, "age-plugin-1abc", "\n# only\n"],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(InvalidEncryptionKey):
        AgeKey.parse(text)


def test_one_wrong_letter_is_noticed_and_a_key_is_not_shown() -> None:
    key = AgeKey.generate()
    for index in range(len("AGE-SECRET-KEY-1"), len(key.text)):
        wrong = key.text[:index] + ("Q" if key.text[index] != "Q" else "P") + key.text[index + 1 :]
        with pytest.raises(InvalidEncryptionKey):
            AgeKey.parse(wrong)
    assert key.text not in repr(key)
    assert str(key.secret) not in repr(key)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(0, 3 * PIECE), seed=st.integers(0, 99))
def test_same_bytes_same_file_other_bytes_nothing_in_common(size: int, seed: int) -> None:
    key, data = AgeKey(bytes(range(32))), random.Random(seed).randbytes(size)
    made = lock(data, key)
    assert lock(data, key) == made, "or a cut upload could not go on"
    other = lock(data + b"x", key)
    header = len(made) - size - 16 * max(1, -(-size // PIECE))
    body, other_body = made[header:], other[header:]
    assert not any(body[i : i + 16] in other_body for i in range(0, len(body) - 16, 4096))
    assert unlock(made, key) == data


def test_a_wrong_key_opens_nothing() -> None:
    made, out = lock(b"photo" * 50_000, AgeKey.generate()), io.BytesIO()
    with pytest.raises(WrongEncryptionKey):
        decrypt(io.BytesIO(made).read, out.write, AgeKey.generate())
    assert out.getvalue() == b""


def test_every_changed_byte_and_every_cut_is_noticed() -> None:
    key, data = AgeKey.generate(), random.Random(1).randbytes(2 * PIECE + 100)
    made = lock(data, key)
    places = [*range(230), *random.Random(2).sample(range(230, len(made)), 60)]
    for at in places:
        changed = bytearray(made)
        changed[at] ^= 1
        with pytest.raises((EncryptedFileDamaged, WrongEncryptionKey)):
            unlock(bytes(changed), key)
    ends = [*range(260), len(made) - 1, len(made) - 100 - 16]
    piece_ends = [len(made) - 116, len(made) - 116 - PIECE - 16]
    for end in (*ends, *piece_ends):
        with pytest.raises(EncryptedFileDamaged):
            unlock(made[:end], key)
    with pytest.raises(EncryptedFileDamaged):
        unlock(made + b"x", key)
    with pytest.raises(EncryptedFileDamaged):
        unlock(data, key)


def test_bits_that_say_nothing_must_be_zero() -> None:
    """The last letter of the header's code has two such bits; another letter would pass for it."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    key = AgeKey.generate()
    made = lock(b"photo", key)
    end = made.index(b"\n", made.index(b"--- ")) - 1
    changed = bytearray(made)
    changed[end] = letters[letters.index(made[end : end + 1]) ^ 1]

    with pytest.raises(EncryptedFileDamaged):
        unlock(bytes(changed), key)


def test_bytes_that_are_not_the_promised_ones_are_refused() -> None:
    with pytest.raises(SourceFileChanged):
        encrypt(io.BytesIO(b"rotten").read, io.BytesIO().write, AgeKey.generate(), sha256(b"photo"))
