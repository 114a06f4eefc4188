"""A request of a client, as all of its ways through the gateway see it: what the log knows, and how it is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import trio

from wsgateway.errors import HttpRefusal, ProtocolError, UpstreamError
from wsgateway.net.failure import in_words
from wsgateway.observe.log import LEVELS
from wsgateway.policy.forwarded import identify
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.serve.preamble import Client, ClientDisconnectedError
from wsgateway.settings.basics import UNIX
from wsgateway.wire.addresses import counted_as
from wsgateway.wire.heads import Headers, Request, RequestHead, Response
from wsgateway.wire.oddities import Oddities, names

# As much of what a client may make as long as it likes is in a line of the log.
LOGGED_CHARACTERS = 200
_UNUSABLE = "the server behind this gateway cannot be used now"


def odd_facts(*peers: Oddities) -> dict[str, str | int]:
    """Return what the log says of the oddities of one or two peers: nothing, if there was none."""
    needed = names(oddity for each in peers for oddity in each.needed)
    passed_over = sum(each.passed_over for each in peers)
    return ({"oddities": needed} if needed else {}) | ({"passed_over": passed_over} if passed_over else {})


class RequestContext:
    """A request of a client: under which settings it is served, what the log knows of it, and how the client is told
    if it comes to nothing."""

    def __init__(self, gateway: GatewayState, listener_state: ListenerState, client: Client) -> None:
        self.gateway = gateway
        self.client = client
        self.listener_state = listener_state
        self.begin(client.begun)

    def begin(self, now: float) -> None:
        """Forgets the last request: the next one begins."""
        self._settle()
        oddities = Oddities(self.listener.tolerance, self.client.odd)
        self.head = RequestHead(self.listener.limits, True, oddities, self.client.called)
        self.facts: dict[str, str] = {"http": "2"} if self.client.alpn == "h2" else {}
        self.begun = now

    def _settle(self) -> None:
        """From here on it is served as the settings of now have it."""
        self.settings, self.listener = self.gateway.settings, self.listener_state.listener

    def about(self, request: Request) -> None:
        """Takes the request, once that is whole: a client may have connected long before it. Notes it for the log.

        Raises HttpRefusal (400) for two headers Host.
        """
        self._settle()
        self.facts["path"] = request.target.partition("?")[0][:LOGGED_CHARACTERS]
        client = self.client
        self.identity = identify(client.ip, client.secure, request.headers, self.listener.forwarded.trusted)
        if self.identity.ip != client.ip:
            self.facts["forwarded_for"] = self.identity.ip

    @property
    def counted_as(self) -> str:
        """What stands for the client where clients are counted; UNIX for all whose address nobody knows."""
        ip = self.identity.ip
        return ip if ip == UNIX else counted_as(ip, self.listener.ipv6_prefix)

    @asynccontextmanager
    async def answered(self) -> AsyncIterator[None]:
        """Answers whatever goes wrong in the block: there is no session then. That, and who it was, is logged."""
        try:
            yield
        except ClientDisconnectedError as error:
            self.left("left", error, error.kind, level="debug")
        except OSError as error:
            if self.head.begun or self.client.alpn == "h2":
                self.left("lost", in_words(error), "lost")
            else:  # such as the check of a load balancer, once a second
                self.left("left", f"without a request: {in_words(error)}", "early", level="debug")
        except ProtocolError as error:  # too early or too late for an HTTP answer
            self.refused(error, None, "connection")
        except HttpRefusal as error:
            self.refused(f"{error} ({error.remark})" if error.remark else error, error.status, error.kind)
            await self.refuse(error)
        except UpstreamError as error:
            self.refused(error, error.status, "upstream", event="upstream failed", level="warning")
            await self.refuse(error)

    def left(self, event: str, why: object, kind: str, level: str = "info") -> None:
        """Logs and counts that the client is gone, and there is no session."""
        self.gateway.counters.left(kind)
        self._log(LEVELS[level], event, {}, why)

    def refused(self, why: object, status: int | None, kind: str, event: str = "refused", level: str = "info") -> None:
        """Logs and counts that there is no session, and with which status the client is told so (None: it is not)."""
        self.gateway.counters.refused(status, kind)
        self.gateway.counters.odd(self.head.oddities.needed)
        self._log(LEVELS[level], event, {} if status is None else {"status": status}, why)

    def _log(self, level: int, event: str, told: dict[str, int], why: object) -> None:
        odd = odd_facts(self.head.oddities)
        self.gateway.log.log(level, event, client=str(self.client), **self.facts, **odd, **told, why=str(why))

    async def refuse(self, error: HttpRefusal | UpstreamError) -> None:
        """Answers with an HTTP status and a line of text, and hangs up."""
        if await self.tell(error):
            await self.hang_up(self.settings.defaults.timeouts.close_seconds)

    async def tell(self, error: HttpRefusal | UpstreamError) -> bool:
        """Answers with an HTTP status and a line of text. What is wrong behind us is not told. Whether somebody was
        there to be told."""
        why, headers = (str(error), error.headers) if isinstance(error, HttpRefusal) else (_UNUSABLE, ())
        phrase = HTTPStatus(error.status).phrase
        text = f"{error.status} {phrase}: {why}\n".encode()
        items = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text))), *headers]
        response = Response(error.status, phrase, Headers([*items, ("Connection", "close")]))
        with trio.move_on_after(self.settings.defaults.timeouts.close_seconds):
            try:
                await self.client.channel.send(self.head.respond(response) + self.head.body(text) + self.head.end())
            except OSError:  # it has left: the log has the reason all the same
                return False
        return True

    async def hang_up(self, seconds: float) -> None:
        """Ends the connection, so that the client has time to read what it was sent last."""
        with trio.move_on_after(seconds):
            await self.client.channel.linger()

    def until(self, seconds: float) -> float:
        """When so many seconds since the request began are over; the first one does with the connection."""
        return self.begun + seconds

    def remaining(self, seconds: float) -> float:
        """How much of them is left."""
        return max(0.0, self.until(seconds) - trio.current_time())
