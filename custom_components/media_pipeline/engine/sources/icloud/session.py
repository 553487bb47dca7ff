"""Sign-in, two-factor and signed requests: the only part that uses pyicloud."""

import asyncio
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ...errors import EngineStopped, SourceAccessDenied, SourceBadAnswer
from ...model import LibraryInfo, Usage
from .account import Account
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
        return await self._run(functools.partial(self._account.sign_in, asked=asked))

    async def keep_trusted(self, *, asked: bool = False) -> None:
        """Renew the trust when it is time, or when a person ``asked``; only then it raises.

        Raises CodeRequired (Apple was then asked for a code), SourceUnreachable, ThrottledError ...
        """
        await self._run(functools.partial(self._account.keep_trusted, asked=asked))

    async def ask_consent(self) -> None:
        """With the next request, have the owner's devices ask for web access once more."""
        await self._run(self._account.ask_consent)

    async def send_code(self, *, sms: bool = False) -> None:
        """Have Apple send a (new) code. Raises TooManyCodes, SourceUnreachable, ThrottledError."""
        await self._run(functools.partial(self._account.send_code, sms=sms))

    async def submit_code(self, code: str) -> None:
        """Hand in the code and make this a trusted session.

        Raises InvalidCode, CodeExpired, TooManyCodes, CodeRequired (none was asked for),
        TermsRequired, WrongRegion, SourceUnreachable, ThrottledError.
        """
        await self._run(functools.partial(self._account.submit_code, code))

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
        answer = await self._run(self._account.usage)
        info = answer.get("storageUsageInfo") if isinstance(answer, Mapping) else None
        if not isinstance(info, Mapping):
            return None
        used, total = info.get("usedStorageInBytes"), info.get("totalStorageInBytes")
        if not isinstance(used, int | float) or not isinstance(total, int | float):
            return None
        return Usage(int(used), int(total))

    async def post(self, path: str, body: dict[str, Any], *, shared: bool = False) -> Any:
        """A signed POST to the photos database service; the answer as parsed JSON."""
        return await self._run(functools.partial(self._account.post, path, body, shared=shared))

    async def close(self) -> None:
        """End the worker thread."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run[Result](self, call: Callable[[], Result]) -> Result:
        if self._closed:
            raise EngineStopped
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call)


__all__ = ["PRIMARY", "SHARED_PREFIX", "ICloudSession", "SignInState"]
