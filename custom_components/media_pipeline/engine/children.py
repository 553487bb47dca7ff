"""What all child processes share: how they are started, and that they end with their parent.

Imports nothing that a child does not need.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

_ENGINE: Final = Path(__file__).resolve().parent
# The engine becomes a top-level package in the child. Its parent folder isn't put on the path: the
# integration's modules there (select, calendar) would hide those of the standard library.
_START: Final = (
    "import sys, types; engine = types.ModuleType('engine'); engine.__path__ = [sys.argv[1]]; "
    "sys.modules['engine'] = engine; from {} import main; main()"
)
# Nothing else of Home Assistant's environment (tokens, preloaded allocators) reaches a child.
_PASSED_ON: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
)
_PR_SET_PDEATHSIG: Final = 1
_CAP_SYS_NICE: Final = 23
_CAPABILITY_VERSION: Final = 0x20080522


def start_command(module: str) -> tuple[str, ...]:
    """The command that runs ``main`` of a module such as ``engine.media.worker``."""
    return sys.executable, "-P", "-c", _START.format(module), str(_ENGINE)


def child_environment(more: Collection[str] = ()) -> dict[str, str]:
    """A small environment in which a child finds the same libraries as this process.

    ``more`` names variables that this child needs too.
    """
    environment = {name: os.environ[name] for name in (*_PASSED_ON, *more) if name in os.environ}
    # A glibc arena per thread reserves 64 MiB of address space each, which is limited.
    return environment | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "MALLOC_ARENA_MAX": "2",
    }


def die_with_parent() -> None:
    """Have the kernel end this process with its parent: a stopped one can't see it go."""
    with contextlib.suppress(OSError, AttributeError):  # no Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)


def let_it_be_killed_first() -> None:
    """When memory runs out, the kernel shall take this process before any other."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")


def never_in_real_time() -> None:
    """Have the kernel refuse this process and its threads a priority above that of others.

    As root, which Home Assistant mostly is, SVT-AV1 gives its threads real-time priority, which no
    ``nice`` tames: all other programs then wait for tenths of a second. Call it before any thread
    is started. Root's other rights stay, as the archive may belong to another user.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # effective, permitted and inheritable ones, in two words each
    rights = (ctypes.c_uint32 * 6)()
    with contextlib.suppress(OSError, AttributeError):  # no Linux
        library = ctypes.CDLL(None, use_errno=True)
        if library.capget(header, rights) == 0:
            for at in range(3):
                rights[at] &= ~(1 << _CAP_SYS_NICE)
            library.capset(header, rights)
