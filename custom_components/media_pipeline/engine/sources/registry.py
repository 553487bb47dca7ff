"""Make the source that a configuration asks for."""

from pathlib import Path

from ..config import FolderSourceConfig, ICloudSourceConfig, SourceConfig
from .base import Source
from .folder import FolderSource
from .icloud.session import ICloudSession
from .icloud.source import ICloudSource


def make_source(config: SourceConfig, session_dir: Path) -> Source:
    """The source for ``config``; ``session_dir`` is private and only used for accounts."""
    match config:
        case ICloudSourceConfig():
            session = ICloudSession(
                config.apple_id, config.password, china=config.china, session_dir=session_dir
            )
            return ICloudSource(config, session)
        case FolderSourceConfig():
            return FolderSource(config)
