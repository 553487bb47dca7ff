"""What a stand-in can be started with; the command line and the client share this list."""

from dataclasses import dataclass

NEWEST_MS = 1_790_856_000_000
"""2026-10-01T12:00:00Z, the date of the newest photo unless told otherwise."""


@dataclass(slots=True)
class Options:
    """Everything that shapes one stand-in."""

    assets: int = 100
    seed: int = 1
    real: int = 300
    photo_bytes: int = 40_000
    video_bytes: int = 120_000
    latency_ms: int = 0
    shared_library: int = 0
    joined_library: int = 0
    """Assets in a shared library that somebody else owns, which lies in the shared database."""
    apple_id: str = "someone@example.com"
    password: str = "correct horse battery staple"
    code: str = "123456"
    delivery: str = "sms"
    quota: int = 200_000_000_000
    newest_ms: int = NEWEST_MS
    kinds: str = ""
    huge_bytes: int = 0
    port: int = 0
    control_port: int = 0
    state_dir: str = ""
