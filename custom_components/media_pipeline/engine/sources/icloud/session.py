"""Sign-in, two-factor and signed requests: the only part that uses pyicloud."""

import asyncio
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ...errors import EngineStopped, SourceAccessDenied, SourceBadAnswer, ThrottledError
from ...model import LibraryInfo, Usage
from .account import Account
from .answers import throttled_within
from .pacing import Pacer
from .state import SignInState

PRIMARY: Final = "PrimarySync"
SHARED_PREFIX: Final = "SharedSync-"


class ICloudSession:
    """One Apple account on one worker thread (pyicloud blocks and is not thread safe)."""

    def __init__(
        self, apple_id: str, password: str, *, china: bool = False, session_dir: Path
    ) -> None:
        """``session_dir`` is made private (0700)."""
        self._account = Account(apple_id.strip().lower(), password, china=china, folder=session_dir)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="icloud")
        self.pacer = Pacer(session_dir / "pacing.json")
        """Of all requests but downloads: one at a time, and none while Apple wants us slow."""
        self.content_pacer = Pacer(session_dir / "pacing_content.json")
        """Of downloads, which other hosts serve."""
        self._closed = False

    @property
    def state(self) -> SignInState:
        """What is known without asking Apple."""
        return self._account.state

    @property
    def trust_ends(self) -> int | None:
        """When Apple means to ask for a code again, in milliseconds since 1970; None if unknown."""
        return self._account.trust_ends

    async def sign_in(self, *, asked: bool = False) -> SignInState:
        """Reuse the stored session, or sign in; asks Apple for a code at most once.

        A password that Apple refused is not sent again, unless a person ``asked`` for it. Raises
        InvalidCredentials, AccountLocked, SecurityKeyRequired, TermsRequired, WrongRegion,
        SourceUnreachable, ThrottledError.
        """
        if self._account.state is SignInState.SIGNED_IN and not self._closed:
            return self._account.state  # nothing is asked, so it works while held back too
        return await self._run(
            functools.partial(self._account.sign_in, asked=asked), held=not asked
        )

    async def keep_trusted(self, *, asked: bool = False) -> None:
        """Renew the trust when it is time, or when a person ``asked``; only then it raises.

        Raises CodeRequired (Apple was then asked for a code), SourceUnreachable, ThrottledError ...
        """
        if not asked and self.pacer.until is not None:
            return
        await self._run(functools.partial(self._account.keep_trusted, asked=asked), held=False)

    async def ask_consent(self) -> None:
        """With the next request, have the owner's devices ask for web access once more."""
        await self._run(self._account.ask_consent, held=False)

    async def send_code(self, *, sms: bool = False) -> None:
        """Have Apple send a (new) code. Raises TooManyCodes, SourceUnreachable, ThrottledError."""
        await self._run(functools.partial(self._account.send_code, sms=sms), held=False)

    async def submit_code(self, code: str) -> None:
        """Hand in the code and make this a trusted session.

        Raises InvalidCode, CodeExpired, TooManyCodes, CodeRequired (none was asked for),
        TermsRequired, WrongRegion, SourceUnreachable, ThrottledError.
        """
        await self._run(functools.partial(self._account.submit_code, code), held=False)

    async def libraries(self) -> list[LibraryInfo]:
        """The libraries of the account. Raises ConsentRequired, SourceAccessDenied, ..."""
        zones = await self.zones(shared=False)
        # An account that takes part in nothing may have no shared database.
        with suppress(SourceBadAnswer, SourceAccessDenied):
            zones = await self.zones(shared=True) | zones
        names = sorted(name for name in zones if name.startswith(SHARED_PREFIX))
        return [
            *([LibraryInfo(PRIMARY, shared=False)] if PRIMARY in zones else []),
            *(LibraryInfo(name, shared=True) for name in names),
        ]

    async def zones(self, *, shared: bool) -> dict[str, dict[str, Any]]:
        """The identifiers of all zones of one database, by name."""
        answer = await self.post("zones/list", {}, shared=shared)
        listed = answer.get("zones") if isinstance(answer, Mapping) else None
        if not isinstance(listed, list):
            raise SourceBadAnswer("zones/list without zones")
        found: dict[str, dict[str, Any]] = {}
        for zone in listed:
            identifier = zone.get("zoneID") if isinstance(zone, Mapping) else None
            name = identifier.get("zoneName") if isinstance(identifier, Mapping) else None
            if isinstance(identifier, dict) and isinstance(name, str) and not zone.get("deleted"):
                found[name] = identifier
        return found

    async def usage(self) -> Usage | None:
        """Used and total bytes of the account's iCloud storage; None when Apple does not say."""
        answer = await self._run(self._account.usage, counts=True)
        info = answer.get("storageUsageInfo") if isinstance(answer, Mapping) else None
        if not isinstance(info, Mapping):
            return None
        used, total = info.get("usedStorageInBytes"), info.get("totalStorageInBytes")
        if not isinstance(used, int | float) or not isinstance(total, int | float):
            return None
        return Usage(int(used), int(total))

    async def post(
        self, path: str, body: dict[str, Any], *, shared: bool = False, urgent: bool = False
    ) -> Any:
        """A signed POST to the photos database service; the answer as parsed JSON.

        Zones and records in a good answer that say "slow down" hold back the requests after it.
        ``urgent`` is asked even while held back: what became of a delete must be known.
        """
        return await self._run(
            functools.partial(self._post, path, body, shared=shared), held=not urgent, counts=True
        )

    def _post(self, path: str, body: dict[str, Any], *, shared: bool) -> Any:
        answer = self._account.post(path, body, shared=shared)
        if (slow := throttled_within(answer)) is not None:
            self.pacer.slow_down(slow)
        return answer

    async def close(self) -> None:
        """End the worker thread."""
        self._closed = True
        self.pacer.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run[Result](
        self, call: Callable[[], Result], *, held: bool = True, counts: bool = False
    ) -> Result:
        """``held``: not while Apple wants us slow. ``counts``: a success is a good answer."""
        if self._closed:
            raise EngineStopped
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, functools.partial(self._paced, call, held=held, counts=counts)
        )

    def _paced[Result](self, call: Callable[[], Result], *, held: bool, counts: bool) -> Result:
        if held:
            self.pacer.check()
        self.pacer.wait_turn()
        try:
            result = call()
        except ThrottledError as error:
            raise self.pacer.slow_down(error) from error
        if counts:
            self.pacer.went_well()
        return result


__all__ = ["PRIMARY", "SHARED_PREFIX", "ICloudSession", "SignInState"]
