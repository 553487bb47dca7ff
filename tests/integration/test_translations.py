"""Every text that can be shown exists, and no text is left that nothing shows."""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
import yaml
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import SelectSelector
from homeassistant.setup import async_setup_component

import custom_components.media_pipeline as integration
from custom_components.media_pipeline import (
    binary_sensor,
    button,
    consent,
    difference_repair,
    event,
    flow_errors,
    flow_schemas,
    issues,
    new_disk_repair,
    sensor,
    services,
)
from custom_components.media_pipeline.config_flow import MediaPipelineConfigFlow
from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.model import EVENT_TYPES, LibraryInfo
from custom_components.media_pipeline.options_flow import MediaPipelineOptionsFlow
from custom_components.media_pipeline.target_flow import TargetFlow
from custom_components.media_pipeline.target_kinds.pixel import PHONE_MODEL
from custom_components.media_pipeline.target_kinds.registry import KINDS
from custom_components.media_pipeline.target_rules import KEY_SAVED, rules_form
from custom_components.media_pipeline.target_states import TARGET_STATES

ROOT = Path(integration.__file__).parent
TEXTS: dict[str, Any] = json.loads((ROOT / "translations" / "en.json").read_text())
ICONS: dict[str, Any] = json.loads((ROOT / "icons.json").read_text())
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "services.yaml").read_text())
SOURCES = {path.stem: path.read_text() for path in ROOT.glob("*.py")}

type Forms = dict[str, vol.Schema | None]

CONFIG_FORMS: Forms = {
    "user": None,
    "icloud": flow_schemas.ICLOUD,
    "code": flow_schemas.CODE,
    "code_sent": flow_schemas.CODE,
    "consent": vol.Schema({}),
    "consent_again": vol.Schema({}),
    "terms": vol.Schema({}),
    "connection": vol.Schema({}),
    "libraries": flow_schemas.libraries([LibraryInfo("PrimarySync", shared=False)], None),
    "folder": flow_schemas.FOLDER,
    "archive": flow_schemas.ARCHIVE,
    "safety": flow_schemas.safety(can_free=True),
    "reauth_confirm": flow_schemas.REAUTH,
    "reconfigure": None,
    "account": flow_schemas.ACCOUNT,
    "move_archive": flow_schemas.MOVE_ARCHIVE,
}
TARGET_FORMS: Forms = {
    "user": None,
    **{key: kind.schema for key, kind in KINDS.items()},
    "new_key": vol.Schema({}),
    "phone_model": PHONE_MODEL,
    "phone_counts": vol.Schema({}),
    "one_photo": vol.Schema({}),
    "told_by_broadcast": vol.Schema({}),
    "not_told": vol.Schema({}),
    "host_key": vol.Schema({}),
    "changed_host_key": vol.Schema({}),
    "rules": rules_form(["PrimarySync"]),
    "key": KEY_SAVED,
}
OPTION_FORMS: Forms = {"init": flow_schemas.options(can_free=True)}


def pipeline_errors() -> list[type[PipelineError]]:
    """All errors of the engine, found in their module."""
    return [
        member
        for _, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, PipelineError)
    ]


def shown_steps(flow: type) -> set[str]:
    """Steps that a flow can show: form and menu ids in its source."""
    ours = [cls for cls in flow.__mro__ if cls.__module__.startswith(integration.__name__)]
    shown = re.compile(r'(?:step_id=|_async_code\()"(\w+)"')
    found = {step for cls in ours for step in shown.findall(inspect.getsource(cls))}
    kinds = {key for key in KINDS if hasattr(flow, f"async_step_{key}")}
    return found | kinds if issubclass(flow, TargetFlow) else found


def menu_options(module: str) -> set[str]:
    found: set[str] = set()
    for options in re.findall(r"menu_options=\[([^\]]*)\]", SOURCES[module]):
        for option in options.split(","):
            name = option.strip()
            constant = getattr(importlib.import_module(f"{integration.__name__}.const"), name, None)
            found.add(constant or name.strip('"'))
    return found


@pytest.mark.parametrize(
    ("flow", "texts", "forms"),
    [
        (MediaPipelineConfigFlow, TEXTS["config"], CONFIG_FORMS),
        (TargetFlow, TEXTS["config_subentries"]["target"], TARGET_FORMS),
        (MediaPipelineOptionsFlow, TEXTS["options"], OPTION_FORMS),
    ],
)
def test_steps_and_fields(flow: type, texts: dict[str, Any], forms: Forms) -> None:
    steps = texts["step"]
    assert shown_steps(flow) == set(forms) == set(steps)
    for name, schema in forms.items():
        step = steps[name]
        assert step["title"]
        fields = {str(key) for key in schema.schema} if schema else set()
        sections = {
            str(key): value.schema.schema
            for key, value in (schema.schema if schema else {}).items()
            if isinstance(value, section)
        }
        assert set(step.get("sections", {})) == set(sections), name
        for part, inner in sections.items():
            texts_of_it = step["sections"][part]
            assert texts_of_it["name"]
            for kind in ("data", "data_description"):
                assert set(texts_of_it[kind]) == {str(key) for key in inner}, part
        fields -= set(sections)
        assert set(step.get("data", {})) == fields, name
        assert set(step.get("data_description", {})) == fields, name
        if schema is None:
            assert set(step["menu_options"]) == set(step["menu_option_descriptions"]), name


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (TEXTS["config"], menu_options("config_flow")),
        (TEXTS["config_subentries"]["target"], set(KINDS)),
    ],
)
def test_menus(texts: dict[str, Any], options: set[str]) -> None:
    offered = set(
        chain.from_iterable(step.get("menu_options", {}) for step in texts["step"].values())
    )
    assert offered == options


def test_flow_errors() -> None:
    assert set(TEXTS["config"]["error"]) == flow_errors.CONFIG_ERRORS
    assert set(TEXTS["config_subentries"]["target"]["error"]) == flow_errors.TARGET_ERRORS
    raised = set(re.findall(r'FolderRefused\("(\w+)"\)', SOURCES["archive_check"]))
    known = flow_errors.CONFIG_ERRORS | flow_errors.TARGET_ERRORS
    assert raised <= known
    for module in ("config_flow", "sign_in_flow", "target_flow", "target_steps"):
        for key in re.findall(r'errors\[[^\]]+\] = "(\w+)"', SOURCES[module]):
            assert key in known


def test_progress() -> None:
    assert set(TEXTS["config"]["progress"]) == {consent.APPROVE}


def test_aborts() -> None:
    by_home_assistant = {
        "already_configured",
        "already_in_progress",
        "reauth_successful",
        "reconfigure_successful",
    }
    assert set(TEXTS["config"]["abort"]) == by_home_assistant
    own = set(re.findall(r'AbortFlow\("(\w+)"\)', SOURCES["target_steps"]))
    target = TEXTS["config_subentries"]["target"]
    assert set(target["abort"]) == own | {"reconfigure_successful"}
    assert set(target["initiate_flow"]) == {"user", "reconfigure"}
    assert target["entry_type"]


def test_exceptions() -> None:
    keys = {error.key for error in pipeline_errors()}
    assert len(keys) == len(pipeline_errors()), "two errors share a key"
    own = set(
        re.findall(
            r'translation_key="(\w+)"',
            SOURCES["__init__"]
            + SOURCES["services"]
            + SOURCES["adopt_action"]
            + SOURCES["coordinator"]
            + SOURCES["target_actions"]
            + SOURCES["restore_actions"]
            + SOURCES["media_source"],
        )
    )
    assert set(TEXTS["exceptions"]) == keys | own


@pytest.mark.parametrize("error", pipeline_errors())
def test_exception_placeholders_are_always_given(error: type[PipelineError]) -> None:
    text = TEXTS["exceptions"][error.key]["message"]
    assert set(re.findall(r"{(\w+)}", text)) <= set(error("detail").placeholders)


def test_issues() -> None:
    keys = {*issues.SOURCE_ISSUES.values(), *issues.TARGET_ISSUES.values()}
    keys |= {issues.TRUST_ISSUE, issues.DIFFERENCE_ISSUE} | issues.LOSS_ISSUES
    assert set(TEXTS["issues"]) == keys
    for key, text in TEXTS["issues"].items():
        assert text["title"]
        if key in issues.NOT_FIXABLE | issues.LOSS_ISSUES:
            assert text["description"]
            continue
        flow = text["fix_flow"]
        waits = {consent.APPROVE} if key == "consent_required" else set()
        steps, told = {"confirm"}, {"still_there"}
        if key == issues.DIFFERENCE_ISSUE:
            waits = {difference_repair.COMPARE}
            steps |= {"compared"}
            told = set(difference_repair.ERRORS)
        assert set(flow.get("progress", {})) == waits
        if key == "archive_marker_missing":
            told |= set(new_disk_repair.ERRORS)
            steps |= {"init", "new_disk"}
            assert set(flow["step"]["init"]["menu_options"]) == {"confirm", "new_disk"}
        assert set(flow["error"]) == told
        if key == "archive_device_changed":
            steps |= {"init", "accept"}
            assert set(flow["step"]["init"]["menu_options"]) == {"confirm", "accept"}
        assert set(flow["step"]) == steps
        assert set(flow.get("abort", {})) == ({"no_answer"} if key == "host_key_changed" else set())


def test_every_target_state_is_a_state_or_a_class() -> None:
    states = TEXTS["entity"]["sensor"]["target_state"]["state"]
    assert set(states) == set(TARGET_STATES)
    unavailable = {e.key for e in pipeline_errors() if issubclass(e, errors.TargetUnavailableError)}
    assert unavailable <= set(states)


def entities() -> Iterator[tuple[str, Any]]:
    for source in (*sensor.SOURCE_SENSORS, *sensor.TARGET_SENSORS):
        yield "sensor", source
    for description in binary_sensor.BINARY_SENSORS:
        yield "binary_sensor", description
    for press in (*button.BUTTONS, *button.TARGET_BUTTONS):
        yield "button", press
    yield "event", event.OUTCOME


def test_entities() -> None:
    keys: dict[str, set[str]] = {}
    for platform, description in entities():
        keys.setdefault(platform, set()).add(description.translation_key)
        text = TEXTS["entity"][platform][description.translation_key]
        assert text["name"]
        assert (options := getattr(description, "options", None)) is None or set(
            text["state"]
        ) == set(options)
    assert {platform: set(texts) for platform, texts in TEXTS["entity"].items()} == keys
    assert {platform: set(icons) for platform, icons in ICONS["entity"].items()} == keys
    events = TEXTS["entity"]["event"]["outcome"]["state_attributes"]["event_type"]["state"]
    assert list(events) == list(EVENT_TYPES)


def test_icon_states_exist() -> None:
    for platform, icons in ICONS["entity"].items():
        for key, icon in icons.items():
            assert icon["default"].startswith("mdi:")
            known = {"on", "off"} | set(TEXTS["entity"][platform][key].get("state", {}))
            assert set(icon.get("state", {})) <= known


async def test_services(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "media_pipeline", {})
    registered = hass.services.async_services_for_domain("media_pipeline")
    assert set(TEXTS["services"]) == set(SERVICES) == set(registered) == set(ICONS["services"])
    for name, service in registered.items():
        assert isinstance(service.schema, vol.Schema)
        fields = {str(key) for key in service.schema.schema}
        assert set(SERVICES[name]["fields"]) == fields, name
        texts = TEXTS["services"][name]
        assert texts["name"]
        assert texts["description"]
        assert set(texts["fields"]) == fields, name
        for field in texts["fields"].values():
            assert field["name"]
            assert field["description"]


def _fields(form: vol.Schema | None) -> Iterator[Any]:
    """The fields of a form, also those in its sections."""
    for value in form.schema.values() if form else ():
        yield from _fields(value.schema) if isinstance(value, section) else [value]


def test_selectors() -> None:
    options: dict[str, set[str]] = {}
    for form in (*CONFIG_FORMS.values(), *TARGET_FORMS.values(), *OPTION_FORMS.values()):
        for selector in _fields(form):
            if isinstance(selector, SelectSelector) and (
                key := selector.config.get("translation_key")
            ):
                options[key] = {str(option) for option in selector.config["options"]}
    modes = SERVICES["adopt"]["fields"]["mode"]["selector"]["select"]
    options[modes["translation_key"]] = set(modes["options"])
    assert set(modes["options"]) == {mode.value for mode in services.Mode}
    stages = SERVICES["run"]["fields"]["stages"]["selector"]["select"]
    options[stages["translation_key"]] = set(stages["options"])
    assert set(stages["options"]) == {stage.value for stage in services.RUN_STAGES}
    assert {key: set(text["options"]) for key, text in TEXTS["selector"].items()} == options


def test_system_health() -> None:
    keys = set(re.findall(r'^        "(\w+)":', SOURCES["system_health"], re.MULTILINE))
    assert set(TEXTS["system_health"]["info"]) == keys


def strings(texts: Any) -> Iterator[str]:
    if isinstance(texts, str):
        yield texts
    elif isinstance(texts, dict):
        for value in texts.values():
            yield from strings(value)


def test_texts_follow_the_rules_of_home_assistant() -> None:
    for text in strings(TEXTS):
        assert text == text.strip()
        assert not re.search(r"https?://|www\.|<[a-z/]", text), text
        assert not re.search(r"'{\w+}'", text), text


def test_every_section_is_covered_here() -> None:
    assert set(TEXTS) == {
        "title",
        "config",
        "config_subentries",
        "options",
        "entity",
        "exceptions",
        "issues",
        "selector",
        "services",
        "system_health",
    }
