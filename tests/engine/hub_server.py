"""A stand-in for the Hugging Face hub: a real HTTP server with the requests of huggingface_hub.

Serves folders as repositories, with ranges; large files by a redirect to another host, like the hub. Can cut a
connection after a number of bytes; records the requests.
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGE = 10_000  # files from this size have a SHA-256 on the hub
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`repos` maps "owner/name" to a folder.

    `cuts`: large answers end after these numbers of bytes, the last number for all later ones.
    """

    def __init__(self, repos: dict[str, Path]) -> None:
        self.repos = repos
        self.cuts: list[int] = []
        self.asked: list[tuple[str, str, str]] = []  # method, path, range
        self.wrong_content = False
        self.tokens: dict[str, str] = {}  # by path: the request's authorization
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def downloads(self) -> list[str]:
        """Names of the requested files."""
        return [path.rpartition("/")[2] for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: Hub

    def log_message(self, *arguments: object) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer(content=False)

    def do_GET(self) -> None:
        self._answer(content=True)

    def _answer(self, content: bool) -> None:
        hub, path = self.server_hub, unquote(urlsplit(self.path).path)
        hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("/api/models/"):
            self._listing(path.removeprefix("/api/models/").partition("/revision/")[0])
            return
        hub.tokens[path] = self.headers.get("Authorization", "")
        stored = path.startswith("/stored/")
        repo, _, rest = path.removeprefix("/stored").lstrip("/").partition("/resolve/")
        folder, name = hub.repos.get(repo), rest.partition("/")[2]
        if folder is None or not (folder / name).is_file():
            self._missing("RepoNotFound" if folder is None else "EntryNotFound")
            return
        if not stored and (folder / name).stat().st_size >= LARGE:
            self._elsewhere(folder / name, path)
            return
        self._file(folder / name, content)

    def _elsewhere(self, path: Path, asked: str) -> None:
        """The address of the content: the same server under another name, like the hub's file store on another host."""
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.server.server_port}/stored{asked}")  # type: ignore[attr-defined]
        self.send_header("X-Linked-ETag", f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"')
        self.send_header("X-Linked-Size", str(path.stat().st_size))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _listing(self, repo: str) -> None:
        folder = self.server_hub.repos.get(repo)
        if folder is None:
            self._missing("RepoNotFound")
            return
        siblings = []
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            entry = {"rfilename": path.name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
            if len(data) >= LARGE:
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        answer = json.dumps({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, path: Path, content: bool) -> None:
        hub, data = self.server_hub, path.read_bytes()
        kind = hashlib.sha256 if len(data) >= LARGE else hashlib.sha1
        etag = kind(data).hexdigest()
        if hub.wrong_content:
            data = bytes(len(data))
        start = 0
        asked = self.headers.get("Range")
        if asked:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not content:
            return
        piece = data[start:]
        if hub.cuts and len(data) >= 10 * LARGE:
            self.wfile.write(piece[: hub.cuts.pop(0) if len(hub.cuts) > 1 else hub.cuts[0]])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(piece)
