"""What can go wrong while adopting what another tool downloaded."""

from .classes import PermanentError


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
