"""Signed requests of a session that is signed in: the photos database, and the keys to it.

Blocking; only on the session's thread.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConsentRequired, SourceAccessDenied, SourceUnreachable, ThrottledError
from ..http import retry_after
from .answers import SessionLost, parse_json, read_database_answer
from .files import SessionFiles

if TYPE_CHECKING:
    from .service import AppleService

_DATABASE: Final = "/database/1/com.apple.photos.cloud/production"
_ASK_CONSENT_AGAIN: Final = 12 * 3600.0
_KEYS_TRIES: Final = 4
_KEYS_PAUSE: Final = 2.0


def post(service: AppleService, path: str, body: dict[str, Any], *, shared: bool) -> Any:
    """One request to the photos database. Raises SessionLost and what answers.py raises."""
    from .service import TROUBLE, is_kind

    try:
        root = service.get_webservice_url("ckdatabasews")
    except TROUBLE as error:
        raise SourceAccessDenied("this account has no iCloud Photos") from error
    database = "shared" if shared else "private"
    try:
        answer = service.ask(
            f"{root}{_DATABASE}/{database}/{path.lstrip('/')}",
            params={**service.params, "remapEnums": True, "getCurrentSyncToken": True},
            json=body,
            headers={"Content-Type": "text/plain"},
        )
    except TROUBLE as error:
        if is_kind(error, "PyiCloudAuthRequiredException"):
            raise SessionLost from error
        raise SourceUnreachable(f"{path}: {type(error.__cause__ or error).__name__}") from error
    finally:
        service.adapter.trail.clear()
    return read_database_answer(answer.status_code, answer.headers, answer.content)


def unlock(service: AppleService, files: SessionFiles) -> None:
    """Get the keys to the photos where Advanced Data Protection is on. Raises ConsentRequired.

    pyicloud's own way blocks for up to 100 seconds. A device is asked once in half a day.
    """
    state = _setup(service, "requestWebAccessState")
    if not state.get("isICDRSDisabled"):
        return
    if not state.get("isDeviceConsentedForPCS", True):
        if time.time() - files.consent_asked > _ASK_CONSENT_AGAIN:
            files.consent_asked = time.time()
            _setup(service, "enableDeviceConsentForPCS")
        raise ConsentRequired
    for attempt in range(_KEYS_TRIES):
        if attempt:
            time.sleep(_KEYS_PAUSE)
        wanted = {"appName": "photos", "derivedFromUserAction": attempt == 0}
        if _setup(service, "requestPCS", wanted).get("status") == "success":
            files.consent_asked = 0.0
            return
    raise ConsentRequired("the device has not handed out the keys yet")


def _setup(
    service: AppleService, operation: str, body: dict[str, Any] | None = None
) -> Mapping[str, Any]:
    from .service import TROUBLE

    try:
        answer = service.ask_setup(operation, json=body, params=service.params)
    except TROUBLE as error:
        raise SourceUnreachable(f"{operation}: {type(error).__name__}") from error
    if answer.status_code in {429, 503}:
        raise ThrottledError(operation, retry_after=retry_after(answer.headers))
    if answer.status_code in {401, 421, 450}:
        raise SessionLost(operation)
    if answer.status_code != 200:
        raise SourceUnreachable(f"{operation}: HTTP {answer.status_code}")
    data = parse_json(answer.content)
    return data if isinstance(data, Mapping) else {}
