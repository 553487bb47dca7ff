"""What Home Assistant and HACS read before any code of ours runs."""

import json
import re
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import homeassistant
import pytest
import yaml
from packaging.requirements import Requirement
from PIL import Image

import custom_components.media_pipeline as integration

ROOT = Path(integration.__file__).parent
MANIFEST: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text())
CORE = Path(homeassistant.__file__).parent / "components"


def test_manifest_order() -> None:
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert MANIFEST["domain"] == integration.DOMAIN
    assert MANIFEST["requirements"] == sorted(MANIFEST["requirements"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])


@pytest.mark.parametrize("requirement", MANIFEST["requirements"])
def test_requirements_never_fight_with_core(requirement: str) -> None:
    """Only lower bounds, all met by what Home Assistant pins and by what is installed."""
    wanted = Requirement(requirement)
    assert [specifier.operator for specifier in wanted.specifier] == [">="]
    assert wanted.specifier.contains(version(wanted.name))
    for name in MANIFEST["after_dependencies"]:
        manifest = json.loads((CORE / name / "manifest.json").read_text())
        for pinned in map(Requirement, manifest["requirements"]):
            if pinned.name == wanted.name:
                (pin,) = pinned.specifier
                assert wanted.specifier.contains(pin.version)
    core = {Requirement(line).name for line in requires("homeassistant") or []}
    assert wanted.name not in core, "Home Assistant brings it itself"


def test_hacs() -> None:
    hacs = json.loads((ROOT.parents[1] / "hacs.json").read_text())
    assert hacs["name"] == MANIFEST["name"]
    assert set(hacs) == {"name", "homeassistant", "hide_default_branch"}


@pytest.mark.parametrize(
    ("name", "size"), [("icon.png", (256, 256)), ("icon@2x.png", (512, 512)), ("logo.png", None)]
)
def test_brand(name: str, size: tuple[int, int] | None) -> None:
    with Image.open(ROOT / "brand" / name) as image:
        assert image.mode == "RGBA"
        assert image.size == size or (size is None and image.height == 128)


def test_quality_scale() -> None:
    rules = yaml.safe_load((ROOT / "quality_scale.yaml").read_text())["rules"]
    for rule, state in rules.items():
        if isinstance(state, dict):
            assert state["status"] in {"done", "todo", "exempt"}, rule
            assert state["comment"], rule
        else:
            assert state in {"done", "todo"}, rule
