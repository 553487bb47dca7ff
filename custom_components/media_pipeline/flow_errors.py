"""Every error that a flow can show, by name; each has its text in the translations."""

import logging
from typing import Final

from .engine import errors as e
from .engine.errors import PipelineError

_LOGGER = logging.getLogger(__name__)

UNKNOWN: Final = "unknown"

FOLDER_ERRORS: Final = frozenset(
    {
        "not_absolute",
        "is_root",
        "in_config",
        "overlaps",
        "not_a_folder",
        "parent_missing",
        "not_writable",
        "no_space",
        "read_back_differs",
    }
)
CONFIG_ERRORS: Final = FOLDER_ERRORS | {
    UNKNOWN,
    "folder_missing",
    "folder_not_readable",
    "archive_not_there",
    "archive_foreign",
    "code_missing",
    "no_libraries",
    *(
        error.key
        for error in (
            e.SourceUnreachable,
            e.ThrottledError,
            e.SourceBadAnswer,
            e.InvalidCredentials,
            e.AccountLocked,
            e.TermsRequired,
            e.ConsentRequired,
            e.SourceAccessDenied,
            e.WebAccessOff,
            e.CodeRequired,
            e.InvalidCode,
            e.CodeExpired,
            e.TooManyCodes,
            e.SecurityKeyRequired,
            e.WrongRegion,
        )
    ),
}
TARGET_ERRORS: Final = FOLDER_ERRORS | {
    UNKNOWN,
    "no_login",
    "encryption_stays",
    "key_not_saved",
    "data_is_no_mapping",
    "scan_hung",
    "scan_missing",
    "scan_failed",
    *(
        error.key
        for error in (
            e.TargetUnreachable,
            e.TargetAuthFailed,
            e.HostKeyChanged,
            e.NoSftpService,
            e.TargetPathMissing,
            e.TargetReadOnly,
            e.TargetFull,
            e.MarkerMissing,
            e.MarkerForeign,
            e.TargetTaken,
            e.DeviceChanged,
            e.TargetUnavailableError,
            e.NoWebdav,
            e.RcloneMissing,
            e.RcloneTooOld,
            e.RcloneNoPassword,
            e.RcloneNoServe,
            e.RcloneRemoteUnknown,
            e.RcloneRemoteRefused,
            e.RcloneUnsuitable,
            e.RcloneFailed,
            e.NotGooglePhotos,
            e.InvalidKey,
            e.KeyLocked,
            e.NameRefused,
            e.InvalidLayout,
            e.InvalidEncryptionKey,
            e.EncryptionKeyDiffers,
            e.LocalWriteFailed,
            e.CopyMismatch,
            e.BucketMissing,
            e.BucketWrongRegion,
            e.CertificateRefused,
            e.ClockWrong,
            e.TargetBusy,
            e.StorageClassRefused,
            e.PlainHttpRefused,
            e.InvalidEndpoint,
            e.InvalidStoreKey,
            e.ActionMissing,
            e.ActionError,
            e.ActionRefused,
            e.ActionTemplateFailed,
            e.ActionPathNotAllowed,
            e.OutcomeUnknown,
            e.PhoneWindowFull,
            e.TooLargeForPhone,
        )
    ),
}


def flow_error(err: PipelineError, known: frozenset[str]) -> str:
    """The name of an engine's error in a flow; what has none is logged."""
    if err.key in known:
        return err.key
    _LOGGER.warning("Unexpected error in a flow: %s (%s)", err.key, err)
    return UNKNOWN
