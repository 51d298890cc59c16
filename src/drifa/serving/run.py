"""A server on an address of this machine, from its start to its end."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from drifa.errors import DrifaError
from drifa.prediction.predictor import Predictor
from drifa.runs.places import Places
from drifa.serving.app import create_app
from drifa.serving.desk import Desk
from drifa.serving.limits import Limits, read_token
from drifa.serving.patience import PatientProtocol

#: Longest wait at the end for what is being answered, seconds.
GRACE = 30
#: Then, for the bytes of the last answers, seconds.
LAST = 5


def serve(
    folder: str | Path,
    host: str,
    port: int,
    token_file: Path | None,
    limits: Limits,
    places: Places | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves a run or model folder until it is told to end.

    Args:
        folder: The model.
        host: Address to listen at.
        port: 0 for any that is free.
        token_file: Holds what clients must say; needed where others reach the address.
        limits: What the server takes on.
        places: Where the run's study is, if not where the run says.
        ready: Called with the address of the page.

    Raises:
        DrifaError: A token is missing or short, the address is taken or not of this machine, or ``folder`` cannot be served.
    """
    token = read_token(token_file, host)
    listening = listen(host, port)
    try:
        app = create_app(Predictor.open(folder, places=places), limits, token, host)
        log = logging.getLogger("drifa.serving")
        log.addHandler(logging.StreamHandler())
        log.setLevel(logging.INFO)
        log.propagate = False
        # It tells what is odd in a form.
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
        # Its own logs name addresses of clients and what they ask for.
        config = uvicorn.Config(
            *(app,),
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=LAST,
            http=PatientProtocol,
        )
        if ready is not None:
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{listening.getsockname()[1]}/")
        Server(config, app.state.desk).run(sockets=[listening])
    finally:
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        DrifaError: The address is taken, not of this machine, or may not be used.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise DrifaError(f"--host {host} is no address of this machine ({error.strerror}); give 127.0.0.1, say") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise DrifaError(f"port {port} of {host} is in use; give another with --port, or 0 for any that is free") from None
        raise DrifaError(f"port {port} of {host} cannot be used ({error.strerror}); give another --host or --port") from None


class Server(uvicorn.Server):
    """Tells the desk first that it ends, so that what comes from then on is refused and not lost."""

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self.desk = desk

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.desk.closing = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends when what is being answered is done; who asks meanwhile is told that it ends."""
        last = time.monotonic() + GRACE
        while self.desk.waiting and not self.force_exit and time.monotonic() < last:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)
