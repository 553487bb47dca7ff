"""What an object store's refusal means. obstore tells most of it in text only."""

import re
from typing import Final

from ..errors import (
    BucketMissing,
    BucketWrongRegion,
    CertificateRefused,
    ClockWrong,
    FileVanished,
    InvalidStoreKey,
    NameRefused,
    PipelineError,
    StorageClassRefused,
    TargetAuthFailed,
    TargetBusy,
    TargetFull,
    TargetReadOnly,
    TargetUnavailableError,
    TargetUnreachable,
)

_CODES: Final[dict[type[PipelineError], str]] = {
    BucketMissing: "NoSuchBucket|ContainerNotFound|ResourceNotFound|InvalidBucketName"
    "|ContainerBeingDeleted|InvalidResourceName",
    ClockWrong: "RequestTimeTooSkewed|RequestExpired",
    BucketWrongRegion: "PermanentRedirect|AuthorizationHeaderMalformed"
    "|IllegalLocationConstraintException|InvalidRegion",
    StorageClassRefused: "InvalidObjectState|InvalidStorageClass|BlobArchived"
    "|BlobBeingRehydrated|InvalidBlobTier",
    TargetAuthFailed: "InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed"
    "|AuthorizationFailure|InvalidToken|ExpiredToken|AuthenticationRequired|AccountIsDisabled"
    "|InvalidAuthenticationInfo|AccountProblem|NotSignedUp|InvalidSecurity",
    TargetReadOnly: "AccessDenied|AuthorizationPermissionMismatch|AllAccessDisabled|Forbidden"
    "|InsufficientAccountPermissions|UserProjectAccountProblem|AccountBeingCreated",
    TargetFull: "QuotaExceeded|StorageFull|XMinioStorageFull|EntityTooLargeForAccount"
    "|InsufficientCapacity",
    TargetBusy: "SlowDown|TooManyRequests|ServerBusy|ServiceUnavailable|rateLimitExceeded",
    NameRefused: "KeyTooLongError|EntityTooLarge|RequestBodyTooLarge|InvalidUri|InvalidObjectName"
    "|XMinioInvalidObjectName|OutOfRangeInput",
}
_STATUS: Final[dict[int, type[PipelineError]]] = {
    301: BucketWrongRegion,
    401: TargetAuthFailed,
    403: TargetReadOnly,
    429: TargetBusy,
    503: TargetBusy,
    507: TargetFull,
}
_CODE: Final = re.compile(r"<Code>\s*(\w+)\s*</Code>|\"(?:code|reason)\": ?\"(\w+)\"")
_STATUS_TEXT: Final = re.compile(r"status code: (\d{3})")
_PRIVATE: Final = re.compile(r"<(RequestId|HostId|StringToSign\w*|CanonicalRequest\w*)>.*?</\1>")


def store_error(err: Exception, bucket: str, path: str | None = None) -> PipelineError:
    """The named error for one of obstore's. ``path`` is given when one object was asked for."""
    text = str(err)
    detail = _PRIVATE.sub("", " ".join(text.partition("\n\nDebug source")[0].split()))[:500]
    given = {"path": path if path is not None else bucket}
    code = next((a or b for a, b in _CODE.findall(text)), None)
    for error, codes in _CODES.items():
        if code is not None and re.fullmatch(codes, code):
            return _for_reading(error, text)(detail, **given)
    if isinstance(err, FileNotFoundError):
        return FileVanished(detail, **given) if path is not None else BucketMissing(detail, **given)
    if "InvalidCertificate" in text or "UnknownIssuer" in text:
        return CertificateRefused(detail, **given)
    if "without LOCATION" in text:
        return BucketWrongRegion(detail, **given)
    if match := _STATUS_TEXT.search(text):
        error = _STATUS.get(int(match[1]), TargetUnavailableError)
        return _for_reading(error, text)(detail, **given)
    if "private key" in text.lower() or "decoding service account" in text.lower():
        return InvalidStoreKey(detail, **given)
    if "HttpError" in text or isinstance(err, TimeoutError | OSError):
        return TargetUnreachable(detail, **given)
    return TargetUnavailableError(detail, **given)


def _for_reading(error: type[PipelineError], text: str) -> type[PipelineError]:
    """Who may not even list or read has the wrong key, not only too few rights to write."""
    if error is TargetReadOnly and re.search(r"performing (GET|HEAD) ", text):
        return TargetAuthFailed
    return error


def met_another(err: Exception) -> bool:
    """Whether two create-only writes met at one name, and the store took neither for the first."""
    return "ConditionalRequestConflict" in str(err)


def timed_out(err: Exception) -> bool:
    """Whether a request took longer than it may."""
    return "kind: Timeout" in str(err) or isinstance(err, TimeoutError)


def ignores_conditions(err: Exception) -> bool:
    """Whether a store said that it knows no create-only writes."""
    text = str(err)
    return type(err).__name__ == "NotSupportedError" or bool(
        re.search(r"status code: (501|400|405)|NotImplemented", text)
    )
