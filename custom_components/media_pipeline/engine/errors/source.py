"""What can go wrong with a source and its account."""

from .classes import NeedsUserError, PermanentError, TransientError


class SourceUnreachable(TransientError):
    """The network or Apple's servers do not answer."""

    key = "source_unreachable"


class InvalidCredentials(NeedsUserError):
    """Apple ID or password is wrong."""

    key = "invalid_credentials"


class CodeRequired(NeedsUserError):
    """Apple wants a two-factor code."""

    key = "code_required"


class InvalidCode(NeedsUserError):
    """The two-factor code was wrong."""

    key = "invalid_code"


class CodeExpired(InvalidCode):
    """The two-factor code, or the sign-in that it was for, is too old."""

    key = "code_expired"


class TooManyCodes(NeedsUserError):
    """Apple takes or sends no codes for a while, after too many of them."""

    key = "too_many_codes"


class SecurityKeyRequired(NeedsUserError):
    """The account wants a hardware security key where others want a code."""

    key = "security_key_required"


class WrongRegion(NeedsUserError):
    """The account lives in the other of Apple's two iClouds: mainland China, or everywhere else."""

    key = "wrong_region"


class AccountLocked(NeedsUserError):
    """Apple locked the account."""

    key = "account_locked"


class TermsRequired(NeedsUserError):
    """Apple wants its terms accepted."""

    key = "terms_required"


class ConsentRequired(NeedsUserError):
    """Advanced Data Protection: a device must approve web access."""

    key = "consent_required"


class SourceAccessDenied(NeedsUserError):
    """Apple refuses access to photos (web access off, or data protection on)."""

    key = "access_denied"


class WebAccessOff(SourceAccessDenied):
    """The account does not allow access to iCloud data on the web."""

    key = "web_access_off"


class UrlExpired(TransientError):
    """A download address is too old; look the record up again."""

    key = "url_expired"


class SourceBadAnswer(TransientError):
    """The source answered something that can't be read."""

    key = "source_bad_answer"


class CursorRejected(TransientError):
    """The change feed no longer knows our token; walk everything again."""

    key = "cursor_rejected"


class SourceFolderMissing(NeedsUserError):
    """The folder to read from is not there."""

    key = "source_folder_missing"


class NotSupportedBySource(PermanentError):
    """This source can't do that (a folder can't free iCloud space)."""

    key = "not_supported_by_source"
