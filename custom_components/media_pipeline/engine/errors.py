"""The error taxonomy: six classes that say what to do next, and one named error per cause.

Every concrete error has a ``key``. It is the translation key under ``exceptions`` in
``translations/en.json``, the reason stored in the catalog and the word used in journal entries.
``placeholders`` fill the translated text; they are the only personal thing an error carries and are
never written to entity states.
"""

import time
from datetime import UTC, datetime
from typing import ClassVar


class PipelineError(Exception):
    """Base of everything the engine raises on purpose."""

    key: ClassVar[str] = "unknown"

    def __init__(self, detail: str = "", /, **placeholders: str) -> None:
        """``detail`` is for the log (English); ``placeholders`` fill the translated text."""
        super().__init__(detail or self.key)
        self.detail = detail
        self.placeholders = placeholders


class TransientError(PipelineError):
    """May work when tried again later without anybody doing anything."""

    key = "transient"


class ThrottledError(TransientError):
    """The other side asked us to slow down."""

    key = "throttled"

    def __init__(
        self, detail: str = "", /, *, retry_after: float = 60.0, **placeholders: str
    ) -> None:
        """``retry_after`` is in seconds, as the other side said it or our own guess."""
        super().__init__(detail, **{"seconds": str(round(retry_after)), **placeholders})
        self.retry_after = retry_after


class HeldBack(ThrottledError):
    """Apple asked us to slow down; before a certain time nothing is asked, so this is refused."""

    key = "throttled_until"

    def __init__(self, detail: str = "", /, *, until: float = 0.0) -> None:
        """``until`` is in seconds since 1970; whoever shows it puts it into local time."""
        moment = datetime.fromtimestamp(until, UTC)
        super().__init__(
            detail,
            retry_after=max(1.0, until - time.time()),
            until=moment.isoformat(timespec="seconds"),
        )
        self.until = moment


class NeedsUserError(PipelineError):
    """Nothing helps until a person does something (code, password, consent)."""

    key = "needs_user"


class TargetUnavailableError(PipelineError):
    """A target or the archive can't be used now; the others go on."""

    key = "target_unavailable"


class CorruptError(PipelineError):
    """Bytes are not what they should be."""

    key = "corrupt"


class PermanentError(PipelineError):
    """Trying again changes nothing; the asset or request is refused."""

    key = "permanent"


# --- the source -----------------------------------------------------------------------------------


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


# --- files ----------------------------------------------------------------------------------------


class LengthMismatch(CorruptError):
    """Fewer or more bytes than announced."""

    key = "length_mismatch"


class ChecksumMismatch(CorruptError):
    """The checksum differs from the announced one."""

    key = "checksum_mismatch"


class BrokenContainer(CorruptError):
    """The file ends before its container says so, or is no container at all."""

    key = "broken_container"


class ErrorBody(CorruptError):
    """A JSON or HTML error text arrived where a photo should be."""

    key = "error_body"


class EncodedBody(CorruptError):
    """The bytes came compressed although plain ones were asked for."""

    key = "encoded_body"


class SourceFileChanged(CorruptError):
    """A file in the archive no longer has the bytes that were proven."""

    key = "source_file_changed"


class FileVanished(TransientError):
    """A file that the catalog knows is not there."""

    key = "file_vanished"


class MediaUnreadable(PermanentError):
    """A photo or video can't be decoded, so no smaller version is made."""

    key = "media_unreadable"


class MediaWorkerCrashed(PermanentError):
    """The child process that worked on a file crashed."""

    key = "media_worker_crashed"


class MediaWorkerTimeout(PermanentError):
    """The child process took longer than allowed and was stopped."""

    key = "media_worker_timeout"


class MediaWorkerMemory(PermanentError):
    """The file needs more memory than allowed."""

    key = "media_worker_memory"


# --- archive and targets --------------------------------------------------------------------------


class MarkerMissing(TargetUnavailableError):
    """The marker file is gone: most likely the mount is."""

    key = "marker_missing"


class MarkerForeign(TargetUnavailableError):
    """The marker file carries another id."""

    key = "marker_foreign"


class UnknownTarget(PermanentError):
    """No target of that id is set up."""

    key = "unknown_target"


class TargetTaken(TargetUnavailableError):
    """Another Media Pipeline keeps its copies in this place."""

    key = "target_taken"


class DeviceChanged(TargetUnavailableError):
    """The folder lies on another device than before: a mount vanished or was replaced."""

    key = "device_changed"


class TargetFull(TargetUnavailableError):
    """No space left there."""

    key = "target_full"


class TargetReadOnly(TargetUnavailableError):
    """The place can't be written to."""

    key = "target_read_only"


class TargetUnreachable(TargetUnavailableError):
    """No connection, or it broke."""

    key = "target_unreachable"


class TargetAuthFailed(TargetUnavailableError):
    """User, password or key was refused."""

    key = "target_auth_failed"


class HostKeyChanged(TargetUnavailableError):
    """The server shows another host key than the stored one."""

    key = "host_key_changed"


class NoSftpService(TargetUnavailableError):
    """SSH works but offers no SFTP."""

    key = "no_sftp_service"


class TargetPathMissing(TargetUnavailableError):
    """The folder to write to does not exist and can't be made."""

    key = "target_path_missing"


class NoWebdav(TargetUnavailableError):
    """What answers at the address speaks no WebDAV."""

    key = "no_webdav"


class RcloneMissing(TargetUnavailableError):
    """What answers is no remote control of rclone."""

    key = "rclone_missing"


class RcloneTooOld(TargetUnavailableError):
    """That rclone is older than what we know how to talk to."""

    key = "rclone_too_old"


class RcloneNoPassword(TargetUnavailableError):
    """rclone's remote control takes orders without a password, or was given none to check."""

    key = "rclone_no_password"


class RcloneNoServe(TargetUnavailableError):
    """rclone was started without ``--rc-serve``, so that nothing can be read back."""

    key = "rclone_no_serve"


class RcloneRemoteUnknown(TargetUnavailableError):
    """rclone has no remote of that name, or can't start it."""

    key = "rclone_remote_unknown"


class RcloneRemoteRefused(TargetUnavailableError):
    """The service behind the remote refuses rclone's login."""

    key = "rclone_remote_refused"


class RcloneUnsuitable(TargetUnavailableError):
    """This kind of remote can't keep copies that could be proven."""

    key = "rclone_unsuitable"


class RcloneFailed(TransientError):
    """rclone reported an error that has no other name here."""

    key = "rclone_failed"


class BucketMissing(TargetUnavailableError):
    """The object store knows no bucket (container) of that name."""

    key = "bucket_missing"


class BucketWrongRegion(TargetUnavailableError):
    """The bucket lies in another region than the one given."""

    key = "bucket_wrong_region"


class CertificateRefused(TargetUnavailableError):
    """The server's certificate is not trusted, or is that of another name."""

    key = "certificate_refused"


class ClockWrong(TargetUnavailableError):
    """This machine's clock differs so much from the store's that requests are refused."""

    key = "clock_wrong"


class TargetBusy(TargetUnavailableError):
    """The target asks to slow down, again and again."""

    key = "target_busy"


class StorageClassRefused(TargetUnavailableError):
    """Objects of this class can't be read back at once, or the store knows no such class."""

    key = "storage_class_refused"


class PlainHttpRefused(TargetUnavailableError):
    """The endpoint is not encrypted, and nobody said that this is wanted."""

    key = "plain_http_refused"


class InvalidEndpoint(TargetUnavailableError):
    """The endpoint is no address of a service."""

    key = "invalid_endpoint"


class InvalidStoreKey(TargetUnavailableError):
    """The key for an object store can't be read."""

    key = "invalid_store_key"


class InvalidKey(NeedsUserError):
    """The private key can't be read or needs a passphrase."""

    key = "invalid_key"


class CopyMismatch(CorruptError):
    """What the target holds is not what was sent."""

    key = "copy_mismatch"


class CopyMissing(CorruptError):
    """The target no longer holds the file."""

    key = "copy_missing"


class LocalWriteFailed(TransientError):
    """A file brought back from a target can't be written on this machine."""

    key = "local_write_failed"


class InvalidEncryptionKey(NeedsUserError):
    """The text is no key of the age format."""

    key = "invalid_encryption_key"


class EncryptionKeyDiffers(TargetUnavailableError):
    """What the target holds is encrypted with another key."""

    key = "encryption_key_differs"


class WrongEncryptionKey(CorruptError):
    """A file was encrypted with another key."""

    key = "wrong_encryption_key"


class EncryptedFileDamaged(CorruptError):
    """An encrypted file was cut or changed, or is none."""

    key = "encrypted_file_damaged"


class InvalidLayout(PermanentError):
    """A target's layout is no portable path, or two files could ask for one path."""

    key = "invalid_layout"


class RestoreFolderFull(PermanentError):
    """The folder to restore to has no room left."""

    key = "restore_folder_full"


class NameRefused(PermanentError):
    """The target refuses the file's name or size."""

    key = "name_refused"


# --- what is handed over --------------------------------------------------------------------------


class OutcomeUnknown(PermanentError):
    """Something was handed over and nobody knows whether it arrived."""

    key = "outcome_unknown"


class OnlyHandedOver(PermanentError):
    """The target only takes: nothing can be listed, proven or brought back there."""

    key = "only_handed_over"


class ActionMissing(TargetUnavailableError):
    """Home Assistant has no such action now."""

    key = "action_missing"


class ActionKeepsFailing(TargetUnavailableError):
    """The action failed several times in a row: it would for every photo."""

    key = "action_keeps_failing"


class ActionError(PermanentError):
    """The action did not take a photo."""

    key = "action_failed"


class ActionRefused(ActionError):
    """The action does not take the data it is called with."""

    key = "action_refused"


class ActionTemplateFailed(ActionError):
    """A template in the action's data can't be rendered."""

    key = "action_template_failed"


class ActionPathNotAllowed(ActionError):
    """The action failed, and Home Assistant lets actions read no files of the archive."""

    key = "action_path_not_allowed"


class TargetWaiting(TargetUnavailableError):
    """Nothing is wrong: the target waits for what its owner set as a condition."""

    key = "target_waiting"


class PhoneNotCharging(TargetWaiting):
    """The phone is not charging."""

    key = "phone_not_charging"


class PhoneNotOnWifi(TargetWaiting):
    """The phone is not in its Wi-Fi network."""

    key = "phone_not_on_wifi"


class PhoneTooHot(TargetWaiting):
    """The phone's battery is too hot."""

    key = "phone_too_hot"


class PhoneWindowFull(TargetWaiting):
    """The phone holds as much of ours as it may: it has to back up and free space first."""

    key = "phone_window_full"


class TooLargeForPhone(PermanentError):
    """A file is larger than all that may lie on the phone at a time."""

    key = "too_large_for_phone"


# --- adopting what another tool downloaded --------------------------------------------------------


class AdoptNotSupported(PermanentError):
    """The source says no checksums, so nobody could tell which files are its own."""

    key = "adopt_not_supported"


class AdoptFolderMissing(PermanentError):
    """The folder to adopt does not exist, or is no folder."""

    key = "adopt_folder_missing"


class AdoptFolderNotReadable(PermanentError):
    """The folder to adopt can't be listed."""

    key = "adopt_folder_not_readable"


class AdoptFolderInUse(PermanentError):
    """The folder is, holds or lies in a target, another archive or our private folder."""

    key = "adopt_folder_in_use"


class AdoptFolderEmpty(PermanentError):
    """Nothing lies in the folder: most likely its storage is not mounted."""

    key = "adopt_folder_empty"


class AdoptOtherFileSystem(PermanentError):
    """No link can be made from the folder into the archive, and copying was not asked for."""

    key = "adopt_other_file_system"


class AdoptDatabaseUnusable(PermanentError):
    """The file given as kei's database is none, or can't be read."""

    key = "adopt_database_unusable"


# --- runs and plans -------------------------------------------------------------------------------


class RunActive(PermanentError):
    """A run is already going on."""

    key = "run_active"


class NoActiveRun(PermanentError):
    """There is no run to pause, resume or cancel."""

    key = "no_active_run"


class PlanNotFound(PermanentError):
    """No plan with that id."""

    key = "plan_not_found"


class PlanWrongState(PermanentError):
    """The plan is not in the state that this needs."""

    key = "plan_wrong_state"


class PlanOutdated(PermanentError):
    """The catalog changed since the plan was made."""

    key = "plan_outdated"


class CleanupStopped(PermanentError):
    """An unexpected answer stopped the cleanup."""

    key = "cleanup_stopped"


class CleanupThrottled(HeldBack):
    """Apple asked us to slow down in the middle of a cleanup, for longer than a run waits."""

    key = "cleanup_throttled"

    def __init__(self, detail: str = "", /, *, until: float = 0.0) -> None:
        """As for HeldBack; ``reason`` is why the plan stopped."""
        super().__init__(detail, until=until)
        self.placeholders["reason"] = ThrottledError.key


class CatalogUnusable(PermanentError):
    """The catalog file can't be opened or is damaged."""

    key = "catalog_unusable"


class EngineStopped(TransientError):
    """The engine is shutting down."""

    key = "engine_stopped"


WAITING = frozenset(
    error.key
    for error in (TargetWaiting, PhoneNotCharging, PhoneNotOnWifi, PhoneTooHot, PhoneWindowFull)
)
"""States of a target that is well and waits."""
