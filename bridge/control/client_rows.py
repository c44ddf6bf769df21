"""Rows of the message table about who is there: saying hello and bye, proving a secret, being forgotten."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import TEXT

PADDING_MIN = 48  # characters: with so many the answer to a challenge is no longer than the request
CLIENT_STATES = ("quiet", "forgotten")

# fmt: off
HELLO = rows.request(
    "hello",
    rows.bounded("reply_port", "i", "UDP port for answers and events, from 1024; 0: the port this came from",
             0, 65535, default=0),
    Argument("name", "s", "the client's name, for logs", default="", max_length=64),
    Argument("secret", "s", "where the engine asks for one: the shared secret, or `hmac:` and a proof of it",
             default="", max_length=256),
    reply=(
        rows.count("protocol", "version of this table"),
        rows.text("engine", "name and version of the engine"),
        rows.figure("timeout_seconds", "a client that says nothing for so long is forgotten", "s"),
    ),
    meaning="Registers the sender: it gets events, and its answers go to `reply_port` of its own machine. "
    "Say it first, and again when the engine was restarted. Earlier ids are forgotten.", asks=True,
)
CHALLENGE = rows.request(
    "challenge", rows.text("padding", "48 characters or more of anything, so that the answer is no longer", 256, ""),
    reply=(rows.text("challenge", "to be answered with `hello` within 10 s; empty: the engine asks for no secret"),),
    meaning="Asks for the challenge that a proof of the secret is made for.", asks=True,
)
BYE = rows.request("bye", meaning="Takes the sender off the list of clients; its lanes are closed.")
PING = rows.request(
    "ping",
    reply=(rows.figure("uptime_seconds", "since the engine started", "s"),),
    meaning="Answers at once. Any message keeps a client registered; this one does nothing else.", asks=True,
)
SYNC = rows.request(
    "sync", meaning="Answers when all earlier requests of this client are answered.", slow=True, asks=True,
)
EVENT_CLIENT = rows.answer(
    "event/client", Argument("state", "s", "of the client that this is told to", choices=CLIENT_STATES),
    rows.figure("seconds", "until it is forgotten; 0: it is", "s"), TEXT,
    meaning="Nothing came from this client for long: first it is warned, then it is forgotten and its lanes are "
    "closed. Its answers still go to its reply port; `hello` registers it again.",
)
# fmt: on
