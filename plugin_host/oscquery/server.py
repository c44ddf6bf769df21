"""HTTP for OSCQuery: a process of its own, so that no question holds up the music.

Only GET; only from this machine unless another address is given. The Host header must name this machine: a page in a
browser that was given another name for it (DNS rebinding) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from plugin_host.oscquery.tree import ATTRIBUTES, Node, find

HTTP_PORT = 9605
TIMEOUT_SECONDS = 5.0  # for a request to arrive


class QueryServer(ThreadingHTTPServer):
    """Answers with `tree()` and `info`, made anew for each question."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, tree: Callable[[], Node], info: Node) -> None:
        """OSError if the port is in use.  [main]"""
        super().__init__((host, port), _Handler)
        self.tree, self.info = tree, info
        self.names = {host, "localhost", "127.0.0.1", "[::1]"}

    def answer(self, target: str) -> tuple[int, Any]:
        """Status and JSON value for a target: a node's address, and maybe ?TYPE.  [any]"""
        parts = urlsplit(target)
        attribute = parts.query.partition("=")[0]
        if attribute == "HOST_INFO":
            return 200, self.info
        node = find(self.tree(), unquote(parts.path))
        if node is None:
            return 404, {"error": f"there is no node {unquote(parts.path)[:200]}"}
        if not attribute:
            return 200, node
        if attribute not in ATTRIBUTES:
            return 400, {"error": f"attribute {attribute[:40]} is not one of {', '.join(ATTRIBUTES)}"}
        return (200, {attribute: node[attribute]}) if attribute in node else (204, None)


class _Handler(BaseHTTPRequestHandler):
    server: QueryServer
    server_version, sys_version = "Segue", ""
    timeout = TIMEOUT_SECONDS

    def do_GET(self) -> None:
        """Answer one question."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in self.server.names:
            self._send(403, {"error": "the Host header names another machine"})
            return
        self._send(*self.server.answer(self.path))

    def _send(self, status: int, value: Any) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""
