"""What can be wrong with a file."""

from .classes import CorruptError, PermanentError, TransientError


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
