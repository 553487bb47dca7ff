"""The process that all media children are forked from: it has loaded what they need, and waits.

A fresh interpreter with the media libraries takes 0.13 s of a processor, a fork of one that has
them 5 ms; each file still has a process of its own. Standard input is a socket that keeps messages
apart. ``start N``, with three descriptors, forks a child with these as its standard ones;
``signal N S`` sends a signal to all of its process group; ``ended N STATUS`` is what the parent
hears (a negative status is a signal's number). It ends when its parent closes the socket, and so
do its children. It never decodes anything and never starts a thread, so that forking is safe.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Final, NoReturn

from ..children import die_with_parent, let_it_be_killed_first

LONGEST: Final = 128
"""Bytes of a message."""
_NEEDED: Final = ("photo", "video", "preview", "probe_photo", "probe_video", "share", "motion")
# the last two are loaded by PyAV when it opens a file
_LIBRARIES: Final = (
    "pillow_heif",
    "mozjpeg_lossless_optimization",
    "av.subtitles.stream",
    "encodings.ascii",
)


def main() -> NoReturn:
    """Serve until the parent is gone."""
    die_with_parent()
    let_it_be_killed_first()
    parent = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    load()
    _Server(parent).serve()


def load() -> None:
    """Import what children will need; what isn't there is told by the one that needs it."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's, which PyTurboJPEG brings: no threads here
    for name in _NEEDED:
        importlib.import_module(f"engine.media.{name}")
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from PIL import Image

    from .jpeg_turbo import libjpeg_turbo

    libjpeg_turbo()  # children may not start what looks for it
    Image.init()  # its formats, 15 ms for the first that asks for one of them
    gc.collect()
    gc.freeze()  # a child's collector would touch, and so copy, the memory that all share


class _Server:
    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._children: dict[int, int] = {}  # number: process
        self._bell, ring = os.pipe()
        for end in (self._bell, ring):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> NoReturn:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._parent, selectors.EVENT_READ)
            waiting.register(self._bell, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    if key.fd == self._bell:
                        os.read(self._bell, 4096)
                        self._reap()
                    else:
                        self._hear()

    def _hear(self) -> None:
        message, files, _, _ = socket.recv_fds(self._parent, LONGEST, 3)
        match message.split():
            case [b"start", number]:
                self._start(int(number), files)
            case [b"signal", number, what] if int(number) in self._children:
                _signal(self._children[int(number)], int(what))
            case []:  # the parent is gone
                for process in self._children.values():
                    _signal(process, signal.SIGKILL)
                os._exit(0)
        for file in files:
            os.close(file)

    def _start(self, number: int, files: list[int]) -> None:
        server = os.getpid()
        try:
            process = os.fork()
        except OSError as err:  # no room for one more
            with contextlib.suppress(OSError):  # nobody waits for it any more
                os.write(files[2], f"{err!r}\n".encode())
            self._tell(number, 1)
            return
        if process == 0:
            _child(server, files)
        self._children[number] = process

    def _reap(self) -> None:
        for number, process in list(self._children.items()):
            # its number stays taken until the group is gone: nobody else can have it
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _signal(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            del self._children[number]
            self._tell(number, os.waitstatus_to_exitcode(status))

    def _tell(self, number: int, status: int) -> None:
        with contextlib.suppress(ConnectionError):  # it is gone, which is noticed next
            self._parent.send(b"ended %d %d" % (number, status))


def _signal(process: int, what: int) -> None:
    """To the group of a child, or to the child while it has none yet."""
    try:
        os.killpg(process, what)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, what)


def _child(server: int, files: list[int]) -> NoReturn:
    """What is forked: the worker, as if it had been started with these descriptors."""
    try:
        os.setsid()
        die_with_parent()
        if os.getppid() != server:
            os._exit(3)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for wanted, file in enumerate(files):
            os.dup2(file, wanted)
        os.closerange(3, max(files) + 1)  # the server's own, which are older, too
        from .worker import main as work

        work()
    finally:  # whatever happened, nothing of the server's may run in here
        traceback.print_exc()
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(1)
