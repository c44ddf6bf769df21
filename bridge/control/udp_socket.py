"""Opening a UDP socket safely: no network access without a flag and a secret."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress

from bridge.control.clients import is_loopback
from bridge.control.secret import PROOF
from bridge.errors import EndpointError, PortInUse, UnsafeBind

RECEIVE_BUFFER_BYTES = 4 * 2**20  # requested; the system may give less
SECRET_MIN = 8  # characters
_IP_RECVERR = 11  # Linux: refusals of ICMP are queued; Python's socket module has no name for it
_REFUSALS_MAX = 64  # read in one go


def open_socket(host: str, port: int) -> socket.socket:
    """A bound UDP socket; port 0 takes a free one.

    PortInUse, with advice, if another program has the port; EndpointError for a host that is not of this machine,
    or an invalid or forbidden port.  [main]
    """
    if not 0 <= port <= 65535:
        raise EndpointError(f"port is {port}, must be 1024 to 65535, or 0 for a free one")
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if sys.platform == "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound.bind((host, port))
    except OSError as fault:
        bound.close()
        raise _bind_error(host, port, fault) from None
    return bound


def hear_refusals(bound: socket.socket) -> None:
    """Let the system queue refusals (ICMP: nobody has this port) of what a socket sent; Linux only.  [main]"""
    if sys.platform == "linux":
        with suppress(OSError):
            bound.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def refusals(bound: socket.socket) -> list[tuple[str, int]]:
    """The addresses that refused a datagram since the last call; never waits.  [control]"""
    found: list[tuple[str, int]] = []
    if sys.platform == "linux":
        patience_seconds = bound.gettimeout()
        bound.settimeout(0.0)  # with a patience Python waits for a datagram, while the queue is empty
        with suppress(OSError):  # the queue is empty
            for _ in range(_REFUSALS_MAX):
                found.append(bound.recvmsg(1, 512, socket.MSG_ERRQUEUE)[3])
        bound.settimeout(patience_seconds)
    return found


def check_secret(host: str, secret: str, allow_network: bool) -> None:
    """UnsafeBind unless `host` is this machine only, or both flag and secret are given.  [main]"""
    if secret and len(secret) < SECRET_MIN:
        raise UnsafeBind(f"the shared secret has {len(secret)} characters, must have at least {SECRET_MIN}")
    if secret.startswith(PROOF):
        raise UnsafeBind(f"the shared secret begins with {PROOF!r}, as only proofs of it do")
    if is_loopback(host):
        return
    if not allow_network:
        raise UnsafeBind(
            f"{host} opens the engine to the network; say so explicitly (allow_network) or stay at 127.0.0.1"
        )
    if not secret:
        raise UnsafeBind(f"{host} opens the engine to the network; that takes a shared secret as well")


def _bind_error(host: str, port: int, fault: OSError) -> EndpointError:
    if fault.errno == errno.EADDRINUSE or getattr(fault, "winerror", 0) == 10048:
        return PortInUse(
            f"UDP port {port} is taken by another program, perhaps an engine that still runs: "
            "stop it, or choose another port (0 takes a free one)"
        )
    return EndpointError(f"cannot listen on {host}, UDP port {port}: {fault.strerror or fault}")
