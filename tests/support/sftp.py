"""An SFTP server for whoever needs one: a real OpenSSH where it is installed."""

from pathlib import Path

from .asyncssh_server import AsyncsshServer
from .sshd import RealSshd, find_sshd


async def start_sftp_server(root: Path, *, prefer_real: bool = True) -> RealSshd | AsyncsshServer:
    """Serve ``root`` on a loopback port; ``.access`` says how to log in, ``.close()`` ends it.

    The asyncssh server runs on the caller's event loop, the real one in processes of its own.
    """
    root.mkdir(parents=True, exist_ok=True)
    if prefer_real and find_sshd() is not None:
        return await RealSshd(root).start()
    return await AsyncsshServer(root).start()
