"""What the documentation says exists, and what exists is in the documentation."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from custom_components.media_pipeline.engine import errors

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "media_pipeline"
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLUEPRINTS = sorted((ROOT / "blueprints" / "automation" / "media_pipeline").glob("*.yaml"))
REPOSITORY = "https://github.com/media-pipeline/media_pipeline/blob/main/"

ACTIONS: dict[str, Any] = yaml.safe_load((INTEGRATION / "services.yaml").read_text())
TEXTS: dict[str, Any] = json.loads((INTEGRATION / "translations" / "en.json").read_text())


@cache
def page(name: str) -> str:
    return (DOCS / name).read_text()


def sections(text: str) -> dict[str, str]:
    """Heading of the second level → what lies below it."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for path in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            yield path, link


def subclasses(cls: type[errors.PipelineError]) -> Iterator[type[errors.PipelineError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


def named_errors() -> set[str]:
    keys = {
        error.key
        for error in subclasses(errors.PipelineError)
        if error.__module__ == errors.__name__
    }
    keys.update(TEXTS["config"]["error"], TEXTS["config_subentries"]["target"]["error"])
    return keys


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_action_is_documented_with_its_fields(action: str) -> None:
    pattern = re.compile(rf"`(media_pipeline\.)?{action}`")
    found = {title: text for title, text in sections(page("actions.md")).items() if "`" in title}
    texts = [text for title, text in found.items() if pattern.search(title)]
    assert len(texts) == 1, f"{action} has no section of its own or shares it wrongly"
    for field in ACTIONS[action].get("fields") or {}:
        assert f"| `{field}` |" in texts[0], field


@pytest.mark.parametrize("key", sorted(named_errors()))
def test_error_is_in_troubleshooting(key: str) -> None:
    rows = [line for line in page("troubleshooting.md").splitlines() if line.startswith("| `")]
    assert any(f"`{key}`" in row.split("|")[1] for row in rows)


def test_form_fields_and_options_are_in_configuration() -> None:
    steps = [
        *TEXTS["config"]["step"].values(),
        *TEXTS["config_subentries"]["target"]["step"].values(),
        *TEXTS["options"]["step"].values(),
    ]
    for step in steps:
        for field in step.get("data", {}):
            assert f"(`{field}`)" in page("configuration.md"), field


def test_event_types_are_documented() -> None:
    known = TEXTS["entity"]["event"]["outcome"]["state_attributes"]["event_type"]["state"]
    for event_type in known:
        assert f"`{event_type}`" in page("actions.md"), event_type
        notify = (BLUEPRINTS[0].parent / "notify_outcome.yaml").read_text()
        assert f"value: {event_type}\n" in notify, event_type


def test_relative_links_lead_somewhere() -> None:
    seen = 0
    for path, link in links():
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        goal = (path.parent / place).resolve() if place else path
        assert goal.is_relative_to(ROOT), f"{path.name}: {link}"
        assert goal.exists(), f"{path.name}: {link}"
        if anchor:
            assert anchor in anchors(goal), f"{path.name}: {link}"
        seen += 1
    assert seen > 10


def test_commands_exist() -> None:
    for path in PAGES:
        for command in set(re.findall(r"(?<![\w/])(scripts/\w+|\.ci/\w+)", path.read_text())):
            file = ROOT / command
            assert file.is_file(), f"{path.name}: {command}"
            assert file.stat().st_mode & 0o111, f"{command} can't be executed"


def test_entities_are_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for platform in TEXTS["entity"].values():
        for entity in platform.values():
            assert entity["name"] in readme, entity["name"]


def test_blueprints_name_their_source_and_are_linked() -> None:
    assert BLUEPRINTS
    for path in BLUEPRINTS:
        text = path.read_text()
        assert f"source_url: {REPOSITORY}{path.relative_to(ROOT)}\n" in text, path.name
        assert path.name in page("actions.md"), path.name
        for action in re.findall(r"action: media_pipeline\.(\w+)", text):
            assert action in ACTIONS, f"{path.name}: {action}"


def test_reasons_of_a_cleanup_are_in_safety() -> None:
    engine = INTEGRATION / "engine"
    protection = (engine / "catalog" / "protection.py").read_text()
    cleanup = (engine / "stages" / "cleanup.py").read_text()
    reasons = set(re.findall(r', "([a-z_]+)"\),$', protection, flags=re.MULTILINE))
    reasons.update(re.findall(r'(?:return |reason ?= ?)"([a-z_]+)"', cleanup))
    assert len(reasons) > 15
    for reason in reasons:
        assert f"`{reason}`" in page("safety.md"), reason


def test_modules_named_in_architecture_exist() -> None:
    text = page("architecture.md")
    named = set(re.findall(r"`([\w/]+\.py)(?:: (\w+))?`", text))
    assert len(named) > 20
    for place, name in named:
        short = f"**/{place}"
        files = [*(INTEGRATION / "engine").glob(short), *ROOT.glob(place)]
        assert files, place
        if name:
            assert any(name in file.read_text() for file in files), f"{place}: {name}"
