"""What can be wrong with a target over HTTP: WebDAV, rclone, object stores."""

from .classes import PermanentError, TargetUnavailableError, TransientError


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


class NotGooglePhotos(TargetUnavailableError):
    """The remote is not Google Photos itself, or nothing can be handed over to it as it is set."""

    key = "not_google_photos"


class PhotoRefused(PermanentError):
    """Google Photos does not take this file: too large, or of a kind that it does not know."""

    key = "photo_refused"


class BodyTooLarge(PermanentError):
    """The server, or a proxy before it, takes no request as large as this file."""

    key = "body_too_large"


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
