"""Rows of the message table about clients: registering, leaving, proving a secret, being removed."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import TEXT

PADDING_MIN = 48  # characters, which make the request as long as the answer
CLIENT_STATES = ("quiet", "forgotten")

# fmt: off
HELLO = rows.request(
    "hello",
    rows.bounded("reply_port", "i", "UDP port for answers and events, from 1024; 0: the port this came from",
             0, 65535, default=0),
    Argument("name", "s", "the client's name, for logs", default="", max_length=64),
    Argument("secret", "s", "if the engine asks for one: the shared secret, or `hmac:` and a proof of it",
             default="", max_length=256),
    reply=(
        rows.count("protocol", "version of this table"),
        rows.text("engine", "name and version of the engine"),
        rows.figure("timeout_seconds", "a client that sends nothing for so long is removed", "s"),
    ),
    meaning="Registers the sender: it gets events, and its answers go to `reply_port` of its own machine. "
    "Send it first, and again after the engine restarts. Earlier ids are forgotten.", asks=True,
)
CHALLENGE = rows.request(
    "challenge", rows.text("padding", "any 48 characters or more, so that the answer is no longer", 256, ""),
    reply=(rows.text("challenge", "answer it with `hello` within 10 s; empty: the engine asks for no secret"),),
    meaning="Requests the challenge for a proof of the secret.", asks=True,
)
BYE = rows.request("bye", meaning="Unregisters the sender; its lanes are closed.")
PING = rows.request(
    "ping",
    reply=(rows.figure("uptime_seconds", "since the engine started", "s"),),
    meaning="Answers at once. Any message keeps a client registered; this one has no other effect.", asks=True,
)
SYNC = rows.request(
    "sync", meaning="Answers when all earlier requests of this client are answered.", slow=True, asks=True,
)
EVENT_CLIENT = rows.answer(
    "event/client", Argument("state", "s", "of the client that receives this event", choices=CLIENT_STATES),
    rows.figure("seconds", "until it is removed; 0: it is removed", "s"), TEXT,
    meaning="This client has sent nothing for long: it is first warned (`quiet`), then removed (`forgotten`) and its "
    "lanes are closed. Its answers still go to its reply port; `hello` registers it again.",
)
# fmt: on
