"""The trust that saves codes: renewed well before it ends, without ever asking for a code.

Apple trusts a browser for a while after a code. When that ends is Apple's to say; we read it from
the trust cookie (``AppleService.trust_ends``) and ask for new trust every week, and daily when less
than ten days are left. Blocking; only on the session's thread.
"""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...errors import CodeRequired, InvalidCredentials, SourceUnreachable, ThrottledError
from .files import SessionFiles
from .refusals import explain, password_refused

if TYPE_CHECKING:
    from .service import AppleService

_LOGGER = logging.getLogger(__name__)
_DAY: Final = 24 * 3600.0
_EVERY: Final = 7 * _DAY
_SOON: Final = 10 * _DAY
_TRY_AGAIN: Final = _DAY


def is_due(files: SessionFiles, ends: int | None) -> bool:
    """Whether to ask for new trust now. ``ends`` is in milliseconds since 1970.

    Times in the future come from a clock that was wrong; they count as long ago.
    """
    now = time.time()
    if 0 <= now - files.trust_tried < _TRY_AGAIN:
        return False
    ending = ends is not None and ends / 1000 - now < _SOON
    return ending or not 0 <= now - files.trusted < _EVERY


def renew(
    service: AppleService, files: SessionFiles, new_service: Callable[[], AppleService]
) -> AppleService:
    """Ask for new trust; returns the service to go on with. Raises PipelineError.

    The sign-in host forgets a sign-in long before the trust ends. Then we sign in once more with
    the password and the trust we still have; when even that wants a code, none is asked for, and
    the present session goes on.
    """
    files.remember_trust(granted=False)
    data = service.data
    if not _trust(service):
        trouble = explain(service.adapter.trail)
        service.adopt(data)
        if isinstance(trouble, SourceUnreachable | ThrottledError):
            raise trouble
        service = _sign_in_anew(service, files, new_service)
    files.remember_trust(granted=True)
    return service


def _trust(service: AppleService) -> bool:
    from .service import TROUBLE

    service.adapter.trail.clear()
    try:
        trusted = service.trust_session()
    except TROUBLE as error:
        _LOGGER.debug("Trust was not renewed: %s", type(error).__name__)
        return False
    return trusted and service.is_trusted_session


def _sign_in_anew(
    old: AppleService, files: SessionFiles, new_service: Callable[[], AppleService]
) -> AppleService:
    from .service import TROUBLE

    fresh = new_service()
    try:
        proven = fresh.prove_password()
    except TROUBLE as error:
        if password_refused(fresh.adapter.trail):
            files.remember_refusal(InvalidCredentials.key)
        raise explain(fresh.adapter.trail) from error
    if proven and _trust(fresh):
        return fresh
    old.keep_files()
    raise explain(fresh.adapter.trail) if proven else CodeRequired("for new trust")
