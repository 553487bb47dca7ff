"""Whether a session that is stored on disk is still good. Blocking; asks Apple once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...errors import SourceUnreachable, ThrottledError
from ..http import retry_after
from .answers import parse_json

if TYPE_CHECKING:
    from .service import AppleService


def still_stands(service: AppleService) -> bool:
    """True when Apple knows the session and trusts it; the account's data is then up to date.

    An outage says nothing about a session: raises SourceUnreachable, ThrottledError.
    """
    from .service import TROUBLE

    if not service.has_stored_session:
        return False
    try:
        answer = service.ask_setup("validate", data="null")
    except TROUBLE as error:
        raise SourceUnreachable(type(error).__name__) from error
    if answer.status_code in {429, 503}:
        raise ThrottledError("validate", retry_after=retry_after(answer.headers))
    if answer.status_code >= 500:
        raise SourceUnreachable(f"validate: HTTP {answer.status_code}")
    if answer.status_code != 200:
        return False
    data = parse_json(answer.content)
    if not isinstance(data, Mapping) or not isinstance(data.get("dsInfo"), Mapping):
        return False
    service.adopt(data)
    return service.is_trusted_session
