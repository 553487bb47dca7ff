"""Names of other tools, and how equal bytes are shared out."""

import unicodedata
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.adopt.layouts import plain_names, tool_of
from custom_components.media_pipeline.engine.adopt.match import Wishes, match
from custom_components.media_pipeline.engine.adopt.tree import TreeFile
from custom_components.media_pipeline.engine.catalog.found import Found, Wanted
from custom_components.media_pipeline.engine.names import collision_key


@pytest.mark.parametrize(
    ("path", "tool"),
    [
        ("2024/05/31/IMG_1.HEIC", "icloudpd"),
        ("me/2024/5/3/IMG_1.HEIC", "icloudpd"),
        ("flat/IMG_1_HEVC.MOV", "icloudpd"),
        ("All Photos/IMG_1__original__QVNEZg==.HEIC", "icloud_docker"),
        ("2024/05/IMG_1__medium__QVNEZg==.JPG", "icloud_docker"),
        ("_All-Photos/AY6c-BsE0jjaXx9tmVGJM1D2VcEO.jpeg", "icloud_photos_sync"),
        ("data/_All-Photos/AY6c.jpeg", "icloud_photos_sync"),
        ("2024/13/01/IMG_1.HEIC", "other"),
        ("Holidays/IMG_1.HEIC", "other"),
    ],
)
def test_tool(path: str, tool: str) -> None:
    assert tool_of(path) == tool


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("IMG_1.HEIC", "IMG_1.HEIC"),
        ("img_1.heic", "IMG_1.HEIC"),
        ("IMG_1-1884695.HEIC", "IMG_1.HEIC"),
        ("IMG_1_HEVC.MOV", "IMG_1.MOV"),
        ("IMG_1-adjusted.JPG", "IMG_1.JPG"),
        ("IMG_1__original__QVNEZg==.HEIC", "IMG_1.HEIC"),
        ("IMG_1 (2).JPG", "IMG_1.JPG"),
        ("IMG_1-4711_HEVC.MOV", "IMG_1.MOV"),
        (unicodedata.normalize("NFD", "Grüße.jpg"), "Grüße.jpg"),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert collision_key(plain) in plain_names(name)


def test_another_photo_is_not_taken_for_it() -> None:
    assert collision_key("IMG_1.JPG") not in plain_names("IMG_12.JPG")
    assert collision_key("IMG_1.JPG") not in plain_names("IMG_1.PNG")


def file(path: str, inode: int) -> TreeFile:
    return TreeFile(path, 10, 1, (1, inode))


@pytest.mark.parametrize(
    ("wanted", "present", "served", "spare"),
    [
        (1, 1, [1], 0),
        (1, 3, [1], 2),
        (2, 2, [1, 1], 0),
        (3, 2, [1, 2], 0),
        (3, 1, [3], 0),
    ],
)
def test_equal_bytes_are_shared_out(
    wanted: int, present: int, served: list[int], spare: int
) -> None:
    wishes = Wishes([Wanted(number, 10, "IMG.JPG", "same") for number in range(wanted)])
    files = [file(f"/tree/{number}", number) for number in range(present - 1)]
    files.append(file("/archive/own", 99))
    read = {each.path: Found(each.path, 10, 1, "same", "sha") for each in files}
    result = match(wishes, read, files, Path("/archive"))
    assert [len(item.wanted) for item in result.taken] == served
    assert len(result.spare) == spare
    assert sorted(w.id for item in result.taken for w in item.wanted) == list(range(wanted))
    assert result.taken[0].file.path == "/archive/own", "what lies there already comes first"


def test_size_alone_is_no_match() -> None:
    wishes = Wishes([Wanted(1, 10, "IMG.JPG", "same"), Wanted(2, 10, "IMG.JPG", None)])
    other = file("/tree/x", 1)
    read = {other.path: Found(other.path, 10, 1, "different", "sha")}
    assert not match(wishes, read, [other], Path("/archive")).taken
    assert [item.id for item in wishes.unproven] == [2]
