"""Who may talk to the panel: every request is checked before any handler sees it.

    http://127.0.0.1:9650/TOKEN/...      the token is the first part of every path
    Host     names this machine as it was opened: other names are DNS rebinding
    Origin   is the panel's own, for a websocket and an upload also required: others are foreign pages
    method   GET and HEAD for files, POST for uploads

The page's addresses are relative, so the token is in all of them; it is in no cookie that a foreign page could use.
All of it [any].
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Headers = Sequence[tuple[bytes, bytes]]
TOKEN_BYTES = 24
OWNER, GUEST = "owner", "guest"
UPLOAD = "upload"  # the only path that takes POST
_SITES = (b"same-origin", b"none")  # of Sec-Fetch-Site


class Refused(Exception):
    """A request that is not accepted; `status` is the HTTP status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass(frozen=True)
class Gate:
    """`names` are the hosts of the address bar, with `port`; an empty guest token lets no guest in."""

    port: int
    owner: str
    guest: str = ""
    names: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")

    @property
    def hosts(self) -> frozenset[str]:
        """Values of Host that are accepted."""
        return frozenset(f"{name}:{self.port}" for name in self.names)

    def role(self, kind: str, method: str, path: str, headers: Headers) -> tuple[str, str]:
        """OWNER or GUEST, and the path behind the token; Refused says why a request is not accepted.

        `kind` is http or websocket, `path` the raw path of the request.
        """
        host = self._host(headers)
        role, rest = self._token(path)
        posts = kind == "http" and method == "POST"
        if kind == "http" and method not in ("GET", "HEAD", "POST"):
            raise Refused(405, f"{method[:20]!r} is not taken here; GET, HEAD and POST are")
        if posts and (rest != UPLOAD or role != OWNER):
            raise Refused(405, "POST is for uploads of the panel's owner")
        _check_origin(host, _values(headers, b"origin"), required=posts or kind == "websocket")
        sites = _values(headers, b"sec-fetch-site")
        if any(site.lower() not in _SITES for site in sites):
            raise Refused(403, "the request was made by another site")
        return role, rest

    def _host(self, headers: Headers) -> str:
        given = _values(headers, b"host")
        if len(given) != 1:
            raise Refused(400, f"one Host is needed, got {len(given)}")
        host = given[0].decode("latin-1").lower()
        if host not in self.hosts:
            raise Refused(403, f"the panel is not called {host[:100]!r}")
        return host

    def _token(self, path: str) -> tuple[str, str]:
        token, slash, rest = path.removeprefix("/").partition("/")
        for role, own in ((OWNER, self.owner), (GUEST, self.guest)):
            if own and hmac.compare_digest(token.encode("utf-8", "replace"), own.encode()):
                if not slash:
                    raise Refused(404, "a / is missing at the end of the address")
                return role, rest
        raise Refused(404, "the address has no valid token: open the one that `segue panel` prints")


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _check_origin(host: str, origins: Iterable[bytes], required: bool) -> None:
    given = list(origins)
    if not given and not required:
        return
    if len(given) != 1:
        raise Refused(403, f"one Origin is needed, got {len(given)}")
    origin = given[0].decode("latin-1").lower()
    if origin != f"http://{host}":
        raise Refused(403, f"pages of {urlsplit(origin).netloc[:100] or origin[:100]!r} are not let in")
