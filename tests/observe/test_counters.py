"""The counters: sessions that run and that have ended, and clients without one."""

from dataclasses import dataclass, field

from wsgateway.errors import Reason
from wsgateway.observe.counters import Counters, Figures
from wsgateway.wire.oddities import Oddities, Oddity

from .nothing import NO_STATUS

NOTHING = Figures(0, 0, 0, 0)


@dataclass(eq=False)
class Running:
    """A session as the counters see it."""

    dialect: str
    route_name: str
    through: Figures = NOTHING
    oddities: list[Oddities] = field(default_factory=list)

    def figures(self) -> Figures:
        return self.through


@dataclass
class Client:
    """What is known of a client without a session."""

    listener: str
    route: str = ""
    dialect: str = ""


def test_all_counters_begin_at_zero() -> None:
    assert Counters().status() == NO_STATUS


def test_open_sessions_count_with_their_present_figures_and_ended_ones_once() -> None:
    counters = Counters()
    first, second = Running("hixie-76", "chat"), Running("rfc6455", "chat")
    counters.opened(first)
    counters.opened(second)
    first.through = Figures(1, 2, 30, 40)
    second.through = Figures(5, 6, 700, 800)
    status = counters.status()
    assert status["sessions"] == {"hixie-76": {"chat": 1}, "rfc6455": {"chat": 1}}
    assert status["traffic"] == {
        "messages": {"in": {"hixie-76": 1, "rfc6455": 5}, "out": {"hixie-76": 2, "rfc6455": 6}},
        "bytes": {"in": {"hixie-76": 30, "rfc6455": 700}, "out": {"hixie-76": 40, "rfc6455": 800}},
    }
    assert status["durations"] == {}

    first.through = Figures(2, 2, 31, 40)
    assert counters.ended(first, "gateway", Reason.GATEWAY_STOPPING, 61.5) == first.through
    status = counters.status()
    assert status["sessions"] == {"rfc6455": {"chat": 1}}
    assert status["traffic"] == {
        "messages": {"in": {"hixie-76": 2, "rfc6455": 5}, "out": {"hixie-76": 2, "rfc6455": 6}},
        "bytes": {"in": {"hixie-76": 31, "rfc6455": 700}, "out": {"hixie-76": 40, "rfc6455": 800}},
    }
    assert status["durations"] == {"buckets": {"300": 1}, "sum": 61.5}
    assert (status["opened"], status["ended"]) == ({"hixie-76": 1, "rfc6455": 1}, {"hixie-76": 1})
    assert status["ended_by"] == {"gateway": {"gateway-stopping": 1}}
    assert counters.sessions_ended == 1


def test_oddities_are_counted_once_in_sessions_and_in_refused_requests() -> None:
    counters = Counters()
    client, server = Oddities(needed=(Oddity.RAW_TARGET, Oddity.KEY_FORM)), Oddities()
    session = Running("hixie-76", "chat", oddities=[client, server])
    counters.opened(session)
    server.note(Oddity.FRAMES_BEHIND_PROOF)
    server.note(Oddity.FRAMES_BEHIND_PROOF)
    server.passed_over = 3
    counters.odd([Oddity.RAW_TARGET])
    for over in (False, True):
        if over:
            counters.ended(session, "client", Reason.CLOSED, 1.0)
        status = counters.status()
        assert status["oddities"] == {"raw-target": 2, "key-form": 1, "frames-behind-proof": 1}
        assert status["passed_over"] == 3


def test_a_client_without_a_session_is_counted_by_the_status_of_its_answer_and_its_reason() -> None:
    counters = Counters()
    chat = Client("public", "chat", "hixie-75")
    counters.refused(403, Reason.ORIGIN_REFUSED, chat)
    counters.refused(403, Reason.ORIGIN_REFUSED, chat)
    counters.refused(503, Reason.LISTENER_FULL, Client("public"))
    counters.refused(503, Reason.GATEWAY_STOPPING, Client("other", dialect="rfc6455"))
    counters.refused(None, Reason.TLS_FAILED, Client("public"))
    counters.disconnected(Reason.DISCONNECTED_EARLY)
    assert counters.status()["refused"] == {
        "403": {"origin-refused": 2},
        "503": {"listener-full": 1, "gateway-stopping": 1},
        "none": {"tls-failed": 1},
    }
    assert counters.status()["refused_by"] == {
        "listener": {"public": 4, "other": 1},
        "route": {"chat": 2, "none": 3},
        "dialect": {"hixie-75": 2, "rfc6455": 1, "none": 2},
    }
    assert counters.status()["disconnected"] == {"disconnected-early": 1}


def test_counts_by_listeners_and_routes_that_a_reload_has_removed_are_forgotten() -> None:
    counters = Counters()
    for number in range(10_000):
        counters.refused(403, Reason.ORIGIN_REFUSED, Client(f"listener-{number}", f"route-{number}"))
        counters.keep({f"listener-{number}"}, {f"route-{number}"})
    counters.refused(400, Reason.NOT_HTTP, Client("listener-9999"))
    assert counters.status()["refused_by"] == {
        "listener": {"listener-9999": 2},
        "route": {"route-9999": 1, "none": 1},
        "dialect": {"none": 10_001},
    }


def test_plain_http_counts_by_class() -> None:
    counters = Counters()
    for status in (200, 204, 304, 404, 502, None):
        counters.exchange(status)
    assert counters.status()["http"] == {"2xx": 2, "3xx": 1, "4xx": 1, "5xx": 1, "none": 1}
