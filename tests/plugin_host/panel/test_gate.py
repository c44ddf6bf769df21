"""Who is let into the panel: hundreds of wrong Hosts, Origins, methods and paths at the real server; a few right."""

from __future__ import annotations

import itertools
import socket

import pytest
from panel_rig import GUEST, OWNER, Rig

UPGRADE = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip


def status(port: int, method: str, path: str, hosts: list[str], origins: list[str], *more: str) -> int:
    """The status of a request, as it is, byte for byte; 0 if the connection was closed without one."""
    lines = [f"{method} {path} HTTP/1.1", *(f"Host: {host}" for host in hosts)]
    lines += [*(f"Origin: {origin}" for origin in origins), *more, "", ""]
    with socket.create_connection(("127.0.0.1", port), 10) as wire:
        wire.sendall("\r\n".join(lines).encode("latin-1"))
        said = wire.recv(4096).split(b"\r\n")[0].split()
    return int(said[1]) if len(said) > 1 else 0


def wrong_hosts(port: int) -> list[list[str]]:
    own = f"127.0.0.1:{port}"
    named = (
        "evil.example", f"evil.example:{port}", "127.0.0.1", "localhost", f"127.0.0.1:{port + 1}", f"localhost.:{port}",
        f"localhost.evil.example:{port}", f"{own}.evil.example", f"evil.example@{own}", f"0.0.0.0:{port}",
        f"127.1:{port}", f"2130706433:{port}", f"0x7f000001:{port}", f"127.0.0.2:{port}", f"[::]:{port}", f"{own}/",
        f"{own}, evil.example", f"http://{own}", f"192.168.1.5:{port}", f"127.0.0.1 :{port}",
        f"127.0.0.1:0{port}", f"xn--localhost:{port}",
    )  # fmt: skip
    return [*([each] for each in named), [], [""], [own, own], [own, "evil.example"]]


def wrong_origins(port: int) -> list[list[str]]:
    own = f"http://127.0.0.1:{port}"
    named = (
        "null", "http://evil.example", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", "http://127.0.0.1",
        f"http://localhost:{port}", f"{own}/", f"{own}.evil.example", f"http://evil.example:{port}", "file://",
        f"http://127.0.0.1:{port}@evil.example", "chrome-extension://abcdefgh", f"ws://127.0.0.1:{port}", "*", "",
    )  # fmt: skip
    return [*([each] for each in named), [own, own], [own, "http://evil.example"]]


def wrong_paths() -> list[str]:
    return [
        "/", "/ws", "/main.js", "//", f"/{OWNER}", f"/{OWNER[:-1]}/", f"/{OWNER}x/", f"/{OWNER.upper()}/",
        f"/x/{OWNER}/",
        f"/?token={OWNER}", f"/%2f{OWNER}/", f"//{OWNER}/", f"/{OWNER}%00/", f"/{OWNER}/../{OWNER}x/", "/guest/", "*",
        f"/{OWNER}/nothing", f"/{OWNER}/../server.py", f"/{OWNER}/%2e%2e/server.py", f"/{OWNER}/..%2fserver.py",
        f"/{OWNER}/..%5cserver.py", f"/{OWNER}/.%2e/server.py", f"/{OWNER}/page/../server.py", f"/{OWNER}/server.py",
        f"/{OWNER}/__init__.py", f"/{OWNER}//etc/passwd", f"/{OWNER}/audio/take/../../server.py",
        f"/{OWNER}/audio/stem/1/1/..%2f..%2fserver.py", f"/{OWNER}/export/takes.dawproject?takes=../1",
    ]  # fmt: skip


def test_no_hostile_request_is_accepted(rig: Rig) -> None:
    port, own, origin = rig.port, f"127.0.0.1:{rig.port}", f"http://127.0.0.1:{rig.port}"
    page, wire = f"/{OWNER}/", f"/{OWNER}/ws"
    wrong = [
        *(("GET", page, hosts, [], ()) for hosts in wrong_hosts(port)),
        *(("GET", f"/{OWNER}/main.js", hosts, [origin], ()) for hosts in wrong_hosts(port)),
        *(("POST", f"/{OWNER}/upload", hosts, [origin], ("Content-Length: 0",)) for hosts in wrong_hosts(port)),
        *(("GET", wire, hosts, [origin], UPGRADE) for hosts in wrong_hosts(port)),
        *(("GET", wire, hosts, [f"http://{hosts[0]}"], UPGRADE) for hosts in wrong_hosts(port) if hosts),  # rebinding
        *(("GET", f"/{OWNER}/export/head.wav", hosts, [], ()) for hosts in wrong_hosts(port)),
        *(("GET", f"/{GUEST}/", hosts, [], ()) for hosts in wrong_hosts(port)),
        *(("GET", page, [own], origins, ()) for origins in wrong_origins(port)),
        *(("POST", f"/{OWNER}/upload", [own], origins, ("Content-Length: 0",))
          for origins in [[], *wrong_origins(port)]),
        *(("GET", wire, [own], origins, UPGRADE) for origins in [[], *wrong_origins(port)]),
        *(("GET", path, [own], [], ()) for path in wrong_paths()),
        *(("GET", path, [own], [origin], UPGRADE) for path in wrong_paths()),
        *((method, path, [own], [origin], ("Content-Length: 0",)) for method, path in itertools.product(
            ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "POST"),
            (page, f"/{OWNER}/main.js", wire))),
        *(("GET", path, [own], [], (f"Sec-Fetch-Site: {site}",))
          for path, site in itertools.product((page, f"/{OWNER}/main.js"), ("cross-site", "same-site", "evil", ""))),
        *(("GET", wire, [own], [origin], (*UPGRADE, f"Sec-Fetch-Site: {site}")) for site in ("cross-site", "x")),
        *(("POST", f"/{GUEST}/{path}", [own], [origin], ("Content-Length: 0",)) for path in ("upload", "ws", "")),
    ]  # fmt: skip
    assert len(wrong) > 300
    found = [(status(port, *each[:4], *each[4]), each) for each in wrong]
    let_in = [each for each in found if each[0] and not 400 <= each[0] < 500]  # 0: closed without an answer
    assert not let_in


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_the_panels_own_page_is_let_in(rig: Rig, name: str) -> None:
    host = f"{name}:{rig.port}"
    for origins in ([], [f"http://{host}"]):
        assert status(rig.port, "GET", f"/{OWNER}/", [host], origins, "Sec-Fetch-Site: none") == 200
    assert status(rig.port, "HEAD", f"/{OWNER}/main.js", [host], []) == 200
    assert status(rig.port, "GET", f"/{OWNER}/ws", [host], [f"http://{host}"], *UPGRADE) == 101
