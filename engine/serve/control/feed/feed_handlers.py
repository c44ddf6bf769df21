"""Handlers of subscriptions, of dumps, and of what other programs report, [control]."""

from __future__ import annotations

from collections.abc import Callable

from bridge.control import messages, state_rows
from bridge.control.clients import TIMEOUT_SECONDS, Client, Source
from bridge.control.dispatch import Watch
from bridge.control.requests import Answer, Handler, Request
from bridge.errors import NotAllowed
from engine.serve.control.client_events import ClientEvents
from engine.serve.control.feed.dump import Dump
from engine.serve.control.feed.feed import Feed


class FeedHandlers:
    """The handlers; `watch` sets who sees the messages that arrive, None for nobody."""

    def __init__(self, feed: Feed, events: ClientEvents, dump: Dump, watch: Callable[[Watch | None], None]) -> None:
        self._feed, self._events, self._dump, self._watch = feed, events, dump, watch

    def handlers(self) -> dict[str, Handler]:
        """The handlers by address.  [main]"""
        rows = {
            state_rows.SUBSCRIBE: self.subscribe, state_rows.UNSUBSCRIBE: self.unsubscribe,
            state_rows.SUBSCRIPTIONS: self.list, state_rows.DUMP: self.dump, state_rows.REPORT: self.report,
            messages.TAKE_MADE: self.take_made,
        }  # fmt: skip
        return {row.address: handler for row, handler in rows.items()}

    def gone(self, client: Client) -> None:
        """A client has left or was removed.  [control]"""
        self._feed.gone(client)
        self._show(client, False)

    def refused(self, address: Source) -> None:
        """The port of a client is closed.  [control]"""
        self._feed.subscriptions.refused(address)
        self._show(Client(*address), False)

    def subscribe(self, request: Request) -> Answer:
        """subscribe.  [control]"""
        client, rate_hz = _registered(request), request.number("rate_hz")
        self._feed.subscriptions.put(client, request.text("what"), rate_hz, request.whole("lane"))
        self._feed.wake()
        return rate_hz, len(self._feed.subscriptions.of(client)), TIMEOUT_SECONDS, state_rows.AHEAD_MS

    def unsubscribe(self, request: Request) -> Answer:
        """unsubscribe.  [control]"""
        self._feed.subscriptions.remove(request.client.address, request.text("what"))
        return (len(self._feed.subscriptions.of(request.client)),)

    def list(self, request: Request) -> Answer:
        """subscriptions.  [control]"""
        all_of = self._feed.subscriptions
        own = ", ".join(f"{each.what} {each.rate_hz:g} {each.lane}" for each in all_of.of(request.client))
        return own, all_of.n_clients, len(all_of.now), self._feed.n_sent, self._feed.n_held, all_of.n_gone

    def dump(self, request: Request) -> Answer:
        """dump.  [control]"""
        self._show(_registered(request), state_rows.ON_OFF[request.text("on")])
        return ()

    def report(self, request: Request) -> Answer:
        """report.  [control]"""
        collector = self._feed.collector
        values = request.text("name"), request.whole("done"), request.whole("total"), request.text("text")
        collector.report(collector.reported.with_work(request.text("what"), *values))
        return ()

    def take_made(self, request: Request) -> Answer:
        """take/made.  [control]"""
        collector = self._feed.collector
        made = request.whole("order"), request.text("name"), request.text("path")
        self._events.take_made(*made)
        collector.report(collector.reported.with_take(*made))
        return ()

    def _show(self, client: Client, on: bool) -> None:
        if on:
            self._dump.put(client)
        else:
            self._dump.remove(client.address)
        self._watch(self._dump.saw if len(self._dump) else None)


def _registered(request: Request) -> Client:
    if not request.client.registered:
        raise NotAllowed(
            f"{request.message.address} is for registered clients: say {messages.HELLO.address} first, so that the "
            "engine knows where to send"
        )
    return request.client
