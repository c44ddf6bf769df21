"""Authentication by a shared secret: guesses are limited, and a proof is valid once, for one sender, for a short time.

    client                                   engine
    challenge padding  ---------------->
                       <----------------     ok challenge
    hello port name hmac:PROOF  ------->     PROOF = HMAC-SHA256(secret, "challenge port"), 64 hexadecimal digits

A challenge is valid for the address and port that requested it, for ten seconds and one hello. The secret itself is
accepted from this machine, and from others only with `plain`.

Wrong guesses of all machines together are limited too, so a sender with many addresses could use up the limit and block
others. Therefore a proof without a challenge does not count, secrets in plain text count separately, and machines that
proved the secret before have a limit of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict

from bridge.control.clients import Source, is_loopback
from bridge.control.limits import RateLimiter
from bridge.errors import Busy, NotAllowed

PROOF = "hmac:"  # prefix of a proof
CHALLENGE_SECONDS = 10.0
CHALLENGES_MAX = 1024
GUESSES_PER_SECOND, GUESSES_AT_ONCE = 1.0, 5.0  # wrong ones of one machine
TRUSTED_MAX = 64  # machines
_log = logging.getLogger("segue.bridge")


class SecretKeeper:
    """Checks the secret; empty: every client is accepted. All [control]."""

    def __init__(self, secret: str, plain: bool = False) -> None:
        self._secret, self._plain = secret, plain
        self._challenges: OrderedDict[Source, tuple[str, float]] = OrderedDict()
        self._taken: OrderedDict[Source, tuple[str, float]] = OrderedDict()  # accepted hellos, which may be repeated
        self._trusted: OrderedDict[str, None] = OrderedDict()  # machines that proved it
        self._guesses = RateLimiter(GUESSES_PER_SECOND, GUESSES_AT_ONCE, all_factor=4.0)
        self._guesses_plain = RateLimiter(GUESSES_PER_SECOND, GUESSES_AT_ONCE, all_factor=4.0)
        self._warned: set[str] = set()

    def challenge(self, source: Source, now_seconds: float) -> str:
        """A new challenge for a sender; empty if there is no secret."""
        if not self._secret:
            return ""
        text = secrets.token_hex(16)
        _keep(self._challenges, source, (text, now_seconds))
        return text

    def check(self, source: Source, said: str, reply_port: int, now_seconds: float) -> None:
        """Check a hello; NotAllowed without a valid proof, Busy (unchecked) after too many of these."""
        if not self._secret:
            return
        proved = said.startswith(PROOF)
        if proved and not self._asked(source, now_seconds):
            raise NotAllowed("the proof is wrong or too old")
        guesses = self._guesses if proved else self._guesses_plain
        if not guesses.admit(source[0], now_seconds, self.trusts(source[0])):
            raise Busy("too many wrong secrets came from there; wait a second")
        if proved:
            right = self._proves(source, said, reply_port, now_seconds)
        elif self._plain or is_loopback(source[0]):
            right = same_secret(said, self._secret)
        else:
            raise NotAllowed("from another machine a proof of the secret is wanted, not the secret")
        if not right:
            self._warn(source[0])
            raise NotAllowed("the proof is wrong or too old" if proved else "the secret is missing or wrong")
        guesses.charge(source[0], -1.0)
        self._trusted[source[0]] = None
        self._trusted.move_to_end(source[0])
        if len(self._trusted) > TRUSTED_MAX:
            self._trusted.popitem(last=False)

    def trusts(self, host: str) -> bool:
        """Whether a sender on this machine has proved the secret before."""
        return host in self._trusted

    def left(self, source: Source) -> None:
        """Drop the hello of a sender that said bye."""
        self._taken.pop(source, None)

    def _asked(self, source: Source, now_seconds: float) -> bool:
        """Whether a proof from there can be valid: it requested a challenge, or was accepted, lately."""
        known = (table[source][1] for table in (self._challenges, self._taken) if source in table)
        return any(now_seconds - at <= CHALLENGE_SECONDS for at in known)

    def _proves(self, source: Source, said: str, reply_port: int, now_seconds: float) -> bool:
        text, asked = self._challenges.get(source, ("", 0.0))
        before, at = self._taken.get(source, ("", 0.0))
        if before and now_seconds - at <= CHALLENGE_SECONDS and same_secret(said, before):
            return True  # the same hello again: its answer was lost
        if not text or now_seconds - asked > CHALLENGE_SECONDS:
            return False
        if not same_secret(said, proof(self._secret, text, reply_port)):
            return False
        del self._challenges[source]
        _keep(self._taken, source, (said, now_seconds))
        return True

    def _warn(self, host: str) -> None:
        """Once for each machine."""
        if host not in self._warned and len(self._warned) < CHALLENGES_MAX:
            self._warned.add(host)
            _log.warning("%s said hello with a wrong secret", host)


def proof(secret: str, challenge: str, reply_port: int) -> str:
    """The proof of the secret for a challenge, for a hello with that reply port.  [any]"""
    text = f"{challenge} {reply_port}".encode()
    return PROOF + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def same_secret(given: str, wanted: str) -> bool:
    """Compare in constant time, whatever their lengths.  [any]"""
    one, other = (hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, wanted))
    return hmac.compare_digest(one, other)


def _keep(table: OrderedDict[Source, tuple[str, float]], source: Source, value: tuple[str, float]) -> None:
    table[source] = value
    table.move_to_end(source)
    if len(table) > CHALLENGES_MAX:
        table.popitem(last=False)
