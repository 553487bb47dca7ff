"""What can be ordered from outside: faults, events in the library, and a look at the state."""

import time
from typing import Any

from .answers import Json
from .app import StandInServer
from .chaos import Chaos
from .describing import Describing
from .odd import ODDITIES
from .specs import Kind
from .zone import ASSET, MASTER, Zone

SETTINGS = (
    *("password", "code", "code_expired", "codes_locked", "locked", "delivery", "protected"),
    *("consented", "security_keys", "china", "web_access", "trust_days"),
)


class Control(Describing):
    """Operations by name; every one returns what it did."""

    def __init__(self, server: StandInServer) -> None:
        self.server = server

    # -- what tests look at ---------------------------------------------------------------------

    def counts(self) -> Json:
        """Requests by operation, and a few totals."""
        return {
            **self.server.counts,
            "content_bytes": self.server.content.bytes_sent,
            "codes_sent": self.server.account.codes_sent,
            "consents_asked": self.server.account.consent_asked,
            "passwords_refused": self.server.account.passwords_refused,
        }

    def state(
        self, zone: str = "PrimarySync", assets: bool = False, start: int = 0, limit: int = 1000
    ) -> Json:
        """Totals of a zone; with `assets`, also a page of its assets."""
        wanted = self.server.library.zones[zone]
        present, present_bytes, trashed, trashed_bytes = wanted.totals()
        answer: Json = {
            "zones": list(self.server.library.zones),
            "present": present,
            "bytes_present": present_bytes,
            "trashed": trashed,
            "bytes_trashed": trashed_bytes,
            "total": len(wanted),
        }
        if assets:
            indices = range(start, min(start + limit, len(wanted)))
            answer["assets"] = [self._asset(wanted, index) for index in indices]
        return answer

    @staticmethod
    def _asset(zone: Zone, index: int) -> Json:
        spec, state = zone.spec(index), zone.state(index)
        roles = {}
        for role in spec.roles(edited=state.edits > 0):
            size, checksum = zone.facts(index, role)
            roles[str(role)] = {"size": size, "checksum": checksum, "format": spec.format(role)}
        return {
            "index": index,
            "recordName": zone.name_of(index, ASSET),
            "master": zone.name_of(spec.owner, MASTER),
            "recordChangeTag": zone.tag(index, ASSET),
            "filename": spec.filename,
            "kind": str(spec.kind),
            "asset_date": spec.date_ms,
            "added_date": spec.added_ms,
            "deleted": state.deleted,
            "hidden": state.hidden,
            "favorite": state.favorite,
            "purged": state.purged,
            "edits": state.edits,
            "dateExpunged": state.expunge_ms or None,
            "roles": roles,
        }

    # -- faults ---------------------------------------------------------------------------------

    def fault(self, **fields: Any) -> Json:
        """Add a fault; see `faults.Fault` for its fields (`operation` is what it is about)."""
        fields["op"] = fields.pop("operation", "")
        self.server.faults.add(**fields)
        return {"faults": len(self.server.faults.rules)}

    def clear_faults(self) -> Json:
        """Remove all faults."""
        self.server.faults.rules.clear()
        return {}

    def chaos(self, rate: float, seed: int = 0, retry_after: int = 1, without: str = "") -> Json:
        """Random faults on a share of all answers from now on; with a rate of 0 none any more.

        `without` names kinds to leave out, with semicolons between; see `chaos.py` for the kinds.
        Returns what the last chaos did: answers by host, and faults by host and kind.
        """
        old = self.server.chaos
        self.server.chaos = Chaos(rate, seed, retry_after, without) if rate > 0 else None
        if old is None:
            return {"answers": {}, "struck": {}}
        return {"answers": dict(old.answers), "struck": dict(old.struck)}

    def latency(self, ms: int) -> Json:
        """Delay every answer from now on."""
        self.server.latency_s = ms / 1000
        return {}

    def expire_urls(self) -> Json:
        """All addresses handed out so far are expired."""
        self.server.content.expire_all()
        return {}

    def reject_tokens(self) -> Json:
        """All sync tokens handed out so far are refused."""
        self.server.library.generation += 1
        return {}

    def empty_pages(self, count: int = 3) -> Json:
        """The next pages of the change feed are empty, with more to come."""
        self.server.changes.empty_pages = count
        return {}

    # -- the account ----------------------------------------------------------------------------

    def logout_all(self) -> Json:
        """End all sessions on the server's side; trusted browsers stay trusted."""
        self.server.account.logout_all()
        return {}

    def forget_sign_ins(self) -> Json:
        """The sign-in host forgets its sessions; cookies and trust stay good."""
        self.server.account.forget_sign_ins()
        return {}

    def untrust(self) -> Json:
        """End all sessions and forget trusted browsers."""
        self.server.account.untrust()
        return {}

    def set_account(self, **fields: Any) -> Json:
        """Set any of SETTINGS."""
        for name, value in fields.items():
            if name not in SETTINGS:
                raise ValueError(f"unknown setting {name}")
            setattr(self.server.account, name, value)
        return {}

    def new_terms(self) -> Json:
        """Apple has new terms that the user must accept."""
        self.server.account.terms_version += 1
        return {"version": self.server.account.terms_version}

    def accept_terms(self) -> Json:
        """The owner accepts the terms, in a browser."""
        self.server.account.terms_accepted = self.server.account.terms_version
        return {}

    def end_trust(self) -> Json:
        """Trusted browsers are forgotten; sessions go on until they end."""
        self.server.account.trust_tokens.clear()
        return {}

    def set_quota(self, total: int) -> Json:
        """The size of the storage plan."""
        self.server.setup.quota = total
        return {}

    def shared_library(self, count: int = 20, joined: bool = False) -> Json:
        """Turn the shared library on; ``joined`` when somebody else owns it."""
        library = self.server.library
        return {"zone": library.join(count) if joined else library.share(count)}

    def move(self, index: int | list[int], to: str, zone: str = "PrimarySync") -> Json:
        """Move assets to another library: gone here, and new there with the same bytes."""
        source, goal = self._zone(zone), self._zone(to)
        moved = []
        for each in [index] if isinstance(index, int) else index:
            moved.append(goal.take(source.spec(each), source.state(each)))
            source.purge(each)
        return self._names(goal, moved)

    # -- the library ----------------------------------------------------------------------------

    def _zone(self, zone: str) -> Zone:
        return self.server.library.zones[zone]

    def _names(self, zone: Zone, indices: list[int]) -> Json:
        return {
            "assets": [zone.name_of(index, ASSET) for index in indices],
            "indices": indices,
            "masters": [zone.name_of(zone.spec(index).owner, MASTER) for index in indices],
        }

    def add(
        self,
        *,
        count: int = 1,
        kind: str = "jpeg",
        age_s: float = 0,
        size: int = 0,
        real: bool = False,
        zone: str = "PrimarySync",
    ) -> Json:
        """New assets, a second apart, the last of them taken `age_s` ago."""
        wanted = self._zone(zone)
        newest = int((time.time() - age_s) * 1000)
        dates = [newest - (count - 1 - number) * 1000 for number in range(count)]
        return self._names(
            wanted, [wanted.add(Kind(kind), date, size=size, real=real) for date in dates]
        )

    def duplicate(self, index: int, zone: str = "PrimarySync") -> Json:
        """A second asset on the same master."""
        wanted = self._zone(zone)
        return self._names(wanted, [wanted.duplicate(index)])

    def _each(self, index: int | list[int] | None, name: str, zone: str) -> tuple[Zone, list[int]]:
        wanted = self._zone(zone)
        if name:
            found = wanted.find(name)
            if found is None:
                raise ValueError(f"no record {name}")
            return wanted, [found[0]]
        if index is None:
            raise ValueError("which asset? give index or name")
        return wanted, [index] if isinstance(index, int) else list(index)

    def delete(
        self, index: int | list[int] | None = None, name: str = "", zone: str = "PrimarySync"
    ) -> Json:
        """Move assets to Recently Deleted, as on a phone."""
        wanted, indices = self._each(index, name, zone)
        for each in indices:
            wanted.trash(each)
        return self._names(wanted, indices)

    def restore(
        self, index: int | list[int] | None = None, name: str = "", zone: str = "PrimarySync"
    ) -> Json:
        """Take assets back out of Recently Deleted."""
        wanted, indices = self._each(index, name, zone)
        for each in indices:
            wanted.restore(each)
        return self._names(wanted, indices)

    def hide(
        self,
        index: int | list[int] | None = None,
        name: str = "",
        on: bool = True,
        zone: str = "PrimarySync",
    ) -> Json:
        """Hide assets, or show them again."""
        wanted, indices = self._each(index, name, zone)
        for each in indices:
            wanted.change(each, hidden=on)
        return self._names(wanted, indices)

    def favorite(
        self,
        index: int | list[int] | None = None,
        name: str = "",
        on: bool = True,
        zone: str = "PrimarySync",
    ) -> Json:
        """Mark assets as favourites, or no longer."""
        wanted, indices = self._each(index, name, zone)
        for each in indices:
            wanted.change(each, favorite=on)
        return self._names(wanted, indices)

    def edit(
        self, index: int | list[int] | None = None, name: str = "", zone: str = "PrimarySync"
    ) -> Json:
        """Edit assets: a new render on the asset record."""
        wanted, indices = self._each(index, name, zone)
        for each in indices:
            wanted.change(each, edits=wanted.state(each).edits + 1)
        return self._names(wanted, indices)

    def odd(self, index: int, what: str, zone: str = "PrimarySync") -> Json:
        """Make the records of an asset odd; see `odd.ODDITIES`, "" for normal again."""
        if what and what not in ODDITIES:
            raise ValueError(f"unknown oddity {what}")
        wanted = self._zone(zone)
        wanted.change(index, parts=(MASTER, ASSET), odd=what)
        return self._names(wanted, [index])

    def purge(
        self, index: int | list[int] | None = None, name: str = "", zone: str = "PrimarySync"
    ) -> Json:
        """Remove for good: the assets given, or all of Recently Deleted."""
        if index is None and not name:
            wanted = self._zone(zone)
            indices = list(wanted.order("deleted"))
        else:
            wanted, indices = self._each(index, name, zone)
        for each in indices:
            wanted.purge(each)
        return {"purged": len(indices)}

    def reset(self) -> Json:
        """A fresh library, no faults, counts at zero; sessions and trust stay."""
        self.clear_faults()
        self.server.chaos = None
        self.server.counts.clear()
        self.server.latency_s = self.server.options.latency_ms / 1000
        account, options = self.server.account, self.server.options
        account.password, account.code, account.delivery = (
            options.password,
            options.code,
            options.delivery,
        )
        account.code_expired = account.locked = account.protected = account.consented = False
        account.codes_locked = account.security_keys = account.china = False
        account.web_access, account.trust_days = True, 90.0
        account.terms_accepted = account.terms_version
        account.codes_sent = account.consent_asked = account.passwords_refused = 0
        old = self.server.library
        self.server.build()
        self.server.library.generation = old.generation + 1
        self.server.library.url_generation = old.url_generation + 1
        return {}

    def reset_counts(self) -> Json:
        """Counts at zero."""
        self.server.counts.clear()
        self.server.content.bytes_sent = 0
        return {}
