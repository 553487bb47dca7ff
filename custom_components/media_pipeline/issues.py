"""Repairs that follow the engine's problems: made when one appears, removed when it goes."""

from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import CONF_ARCHIVE, CONF_FOLDER, DOMAIN
from .engine import errors
from .engine.model import Snapshot
from .loss_issues import LOSS_ISSUES, LossKeeper
from .places import place_of_target

# Only what a person can act on; what passes by itself is a state, not a repair.
SOURCE_ISSUES: Final = {
    errors.AccountLocked.key: "account_locked",
    errors.TermsRequired.key: "terms_required",
    errors.ConsentRequired.key: "consent_required",
    errors.SourceAccessDenied.key: "access_denied",
    errors.WebAccessOff.key: "web_access_off",
    errors.SecurityKeyRequired.key: "security_key_required",
    errors.WrongRegion.key: "wrong_region",
    errors.SourceFolderMissing.key: "source_folder_missing",
    errors.MarkerMissing.key: "archive_marker_missing",
    errors.MarkerForeign.key: "archive_marker_foreign",
    errors.DeviceChanged.key: "archive_device_changed",
    errors.TargetFull.key: "archive_full",
    errors.TargetReadOnly.key: "archive_read_only",
    errors.CatalogUnusable.key: "catalog_unusable",
    errors.ReadsWrong.key: "archive_reads_wrong",
}
ARCHIVE_ISSUES: Final = frozenset(
    key for key in SOURCE_ISSUES.values() if key.startswith("archive_")
)
TARGET_ISSUES: Final = {
    errors.MarkerMissing.key: "target_marker_missing",
    errors.MarkerForeign.key: "target_marker_foreign",
    errors.DeviceChanged.key: "target_device_changed",
    errors.TargetFull.key: "target_full",
    errors.ReadsWrong.key: "target_reads_wrong",
    errors.TargetReadOnly.key: "target_read_only",
    errors.TargetAuthFailed.key: "target_auth_failed",
    errors.InvalidKey.key: "target_invalid_key",
    errors.KeyLocked.key: "target_invalid_key",
    errors.HostKeyChanged.key: "host_key_changed",
    errors.NoSftpService.key: "no_sftp_service",
    errors.TargetPathMissing.key: "target_path_missing",
    errors.BucketMissing.key: "bucket_missing",
    errors.BucketWrongRegion.key: "bucket_wrong_region",
    errors.CertificateRefused.key: "certificate_refused",
    errors.ClockWrong.key: "clock_wrong",
    errors.StorageClassRefused.key: "storage_class_refused",
    errors.InvalidStoreKey.key: "invalid_store_key",
    errors.RcloneRemoteRefused.key: "rclone_remote_refused",
}
NOT_FIXABLE: Final = frozenset({"catalog_unusable"})
DIFFERENCE_ISSUE: Final = "library_difference"
DIFFERENCE_LOOKS: Final = 3
"""So many daily looks in a row must find other numbers; one may meet a library that changes."""
TRUST_ISSUE: Final = "trust_ending"
TRUST_DAYS: Final = (1, 3, 7)
"""The repair about the end of the sign-in appears, and comes back, when so many days are left."""


class IssueKeeper:
    """The repairs of one entry. An issue that was fixed returns only when its problem does."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Take over what an earlier start has shown: the first snapshot decides what stays."""
        self._hass = hass
        self._entry = entry
        self._shown: dict[str | None, frozenset[str]] = {}
        self._trust_days: int | None = None
        self._losses = LossKeeper(hass, entry)
        for (domain, issue_id), issue in ir.async_get(hass).issues.items():
            key, found, target_id = issue_id.partition(f"_{entry.entry_id}")
            if domain != DOMAIN or not found or not issue.active:
                continue  # what is not active is only remembered because somebody ignored it
            if key == TRUST_ISSUE:
                self._trust_days = int(str((issue.data or {}).get("days")))
                continue
            target = target_id.removeprefix("_") or None
            if key in LOSS_ISSUES:
                self._losses.take_over(key, target, issue)
                continue
            self._shown[target] = self._shown.get(target, frozenset()) | {key}

    @callback
    def async_update(self, snapshot: Snapshot) -> None:
        """Bring the repairs in step with a snapshot."""
        wanted = {SOURCE_ISSUES[key] for key in snapshot.problems if key in SOURCE_ISSUES}
        if any(census.times >= DIFFERENCE_LOOKS for census in snapshot.census.values()):
            wanted.add(DIFFERENCE_ISSUE)
        self._async_show(None, frozenset(wanted))
        self._async_show_trust(snapshot)
        self._losses.async_update(snapshot)
        for target_id, target in snapshot.targets.items():
            issue = TARGET_ISSUES.get(target.state)
            self._async_show(target_id, frozenset({issue} if issue else ()))
        for removed in self._shown.keys() - snapshot.targets.keys() - {None}:
            self._async_show(removed, frozenset())
            del self._shown[removed]

    @callback
    def async_show_setup_problem(self, key: str) -> None:
        """Show why the entry can't be set up."""
        if key in SOURCE_ISSUES:
            self._async_show(None, frozenset({SOURCE_ISSUES[key]}))

    @callback
    def async_clear(self) -> None:
        """Remove every repair of this entry."""
        for target_id in list(self._shown):
            self._async_show(target_id, frozenset())
        self._async_set_trust_days(None, None)
        self._losses.async_clear()

    @callback
    def _async_show_trust(self, snapshot: Snapshot) -> None:
        """One repair that becomes more serious; while we are signed out, that is told instead."""
        if snapshot.authenticated is None:
            return  # nobody has looked yet; an ignored repair must not come back for that
        ends: datetime | None = None
        days: int | None = None
        if snapshot.trust_ends is not None and snapshot.authenticated:
            ends = dt_util.utc_from_timestamp(snapshot.trust_ends / 1000)
            left = ends - dt_util.utcnow()
            days = next((days for days in TRUST_DAYS if left <= timedelta(days=days)), None)
        self._async_set_trust_days(days, ends)

    @callback
    def _async_set_trust_days(self, days: int | None, ends: datetime | None) -> None:
        if days == self._trust_days:
            return
        issue_id = self._issue_id(None, TRUST_ISSUE)
        if self._trust_days is not None:
            # a more serious one comes back even if the earlier one was ignored
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
        self._trust_days = days
        if days is None or ends is None:
            return
        data = {"entry_id": self._entry.entry_id, "target_id": None, "key": TRUST_ISSUE}
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data={**data, "days": days},
            is_fixable=True,
            severity=ir.IssueSeverity.ERROR if days == 1 else ir.IssueSeverity.WARNING,
            translation_key=TRUST_ISSUE,
            translation_placeholders={
                "name": self._entry.title,
                "days": str(days),
                "date": dt_util.as_local(ends).strftime("%Y-%m-%d %H:%M"),
            },
        )

    @callback
    def _async_show(self, target_id: str | None, wanted: frozenset[str]) -> None:
        before = self._shown.get(target_id, frozenset())
        for key in before - wanted:
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(target_id, key))
        for key in wanted - before:
            self._async_create(target_id, key)
        self._shown[target_id] = wanted

    def _issue_id(self, target_id: str | None, key: str) -> str:
        return f"{key}_{self._entry.entry_id}" + (f"_{target_id}" if target_id else "")

    @callback
    def _async_create(self, target_id: str | None, key: str) -> None:
        subentry = self._entry.subentries.get(target_id) if target_id else None
        if subentry is not None:
            place = place_of_target(subentry)
        elif key == "source_folder_missing":
            place = self._entry.data[CONF_FOLDER]
        else:
            place = self._entry.data[CONF_ARCHIVE]
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id(target_id, key),
            data={"entry_id": self._entry.entry_id, "target_id": target_id, "key": key},
            is_fixable=key not in NOT_FIXABLE,
            severity=ir.IssueSeverity.WARNING
            if key == DIFFERENCE_ISSUE
            else ir.IssueSeverity.ERROR,
            translation_key=key,
            translation_placeholders={
                "name": subentry.title if subentry else self._entry.title,
                "place": place,
            },
        )
