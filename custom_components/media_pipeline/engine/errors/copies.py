"""What can be wrong with a copy, its encryption, or one that is brought back."""

from .classes import (
    CorruptError,
    NeedsUserError,
    PermanentError,
    TargetUnavailableError,
    TransientError,
)


class CopyMismatch(CorruptError):
    """What the target holds is not what was sent."""

    key = "copy_mismatch"


class CopyMissing(CorruptError):
    """The target no longer holds the file."""

    key = "copy_missing"


class ReadsWrong(TargetUnavailableError):
    """So much of what a place holds reads wrong that nothing more is done there by itself."""

    key = "reads_wrong"


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


class RestoreFolderFull(PermanentError):
    """The folder to restore to has no room left."""

    key = "restore_folder_full"
