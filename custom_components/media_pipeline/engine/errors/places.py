"""What can be wrong with the archive, or with any target."""

from .classes import NeedsUserError, PermanentError, TargetUnavailableError


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


class InvalidKey(NeedsUserError):
    """The private key can't be read."""

    key = "invalid_key"


class KeyLocked(NeedsUserError):
    """The private key needs a passphrase, or another one."""

    key = "key_locked"


class InvalidLayout(PermanentError):
    """A target's layout is no portable path, or two files could ask for one path."""

    key = "invalid_layout"


class NameRefused(PermanentError):
    """The target refuses the file's name or size."""

    key = "name_refused"
