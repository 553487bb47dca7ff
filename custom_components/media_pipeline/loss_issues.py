"""Repairs about lost files: how many, where, what becomes of them. They go when all are back."""

from collections.abc import Iterator
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_ARCHIVE, DOMAIN
from .engine.model import RunStatus, Snapshot
from .places import place_of_target

COPIES_LOST: Final = "target_copies_lost"
FILES_DAMAGED: Final = "archive_files_damaged"
FILES_LOST: Final = "archive_files_lost"
LOSS_ISSUES: Final = frozenset({COPIES_LOST, FILES_DAMAGED, FILES_LOST})


class LossKeeper:
    """The repairs of one entry that tell how much is lost."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Nothing is shown, as far as we know."""
        self._hass = hass
        self._entry = entry
        self._shown: dict[tuple[str, str | None], int] = {}

    def take_over(self, key: str, target_id: str | None, issue: ir.IssueEntry) -> None:
        """An earlier start has shown this."""
        self._shown[key, target_id] = int(str((issue.data or {}).get("count")))

    @callback
    def async_update(self, snapshot: Snapshot) -> None:
        """Bring them in step; while a run goes on, the number is only told when it is news."""
        wanted = dict(_wanted(snapshot))
        for key, target_id in self._shown.keys() - wanted.keys():
            self._async_remove(key, target_id)
        for (key, target_id), count in wanted.items():
            before = self._shown.get((key, target_id))
            if before is None or (count != before and snapshot.status is RunStatus.IDLE):
                self._async_show(key, target_id, count)

    @callback
    def async_clear(self) -> None:
        """Remove all of them."""
        for key, target_id in list(self._shown):
            self._async_remove(key, target_id)

    def _issue_id(self, key: str, target_id: str | None) -> str:
        return f"{key}_{self._entry.entry_id}" + (f"_{target_id}" if target_id else "")

    @callback
    def _async_remove(self, key: str, target_id: str | None) -> None:
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(key, target_id))
        del self._shown[key, target_id]

    @callback
    def _async_show(self, key: str, target_id: str | None, count: int) -> None:
        target = self._entry.subentries.get(target_id) if target_id else None
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id(key, target_id),
            data={"entry_id": self._entry.entry_id, "target_id": target_id, "count": count},
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR if key == FILES_LOST else ir.IssueSeverity.WARNING,
            translation_key=key,
            translation_placeholders={
                "name": target.title if target else self._entry.title,
                "place": place_of_target(target) if target else self._entry.data[CONF_ARCHIVE],
                "count": str(count),
            },
        )
        self._shown[key, target_id] = count


def _wanted(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str | None], int]]:
    """((issue, target), how many files)."""
    if snapshot.archive_damaged:
        yield (FILES_DAMAGED, None), snapshot.archive_damaged
    if snapshot.archive_lost:
        yield (FILES_LOST, None), snapshot.archive_lost
    for target_id, target in snapshot.targets.items():
        if target.lost:
            yield (COPIES_LOST, target_id), target.lost
