"""The log lines of a gateway that has started or was reloaded: its addresses, and advice about its configuration."""

from collections.abc import Iterable

from wsgateway.errors import ReasonedError
from wsgateway.observe.log import Log, Whole
from wsgateway.run.certificates import warn_of_certificates
from wsgateway.run.listening import Listening, shares
from wsgateway.serve.bind import address_of
from wsgateway.settings.advice import advice
from wsgateway.settings.certificates import Known, warnings
from wsgateway.settings.declare import keys_of
from wsgateway.settings.whole import Settings


def log_listening(settings: Settings, listening: Listening, before: Listening, log: Log) -> None:
    """Log each address of a listener that was not open before."""
    known = {sock for _, sock in before.every()}
    for listener, sock in shares(settings, listening.shared()):
        if sock not in known:
            log.info("listening", listener=listener.name, address=str(address_of(sock)))


def log_advice(settings: Settings, certificates: Iterable[Known], log: Log, now: float) -> None:
    """Log advice about settings and about their certificates. `now` is in seconds since 1970."""
    for sentence in advice(settings):
        log.warning("advice", why=Whole(sentence))
    warn_of_certificates(certificates, log, now)


def not_reloaded(at_start: Settings, now: Settings) -> list[str]:
    """Return a sentence for each section that needs a restart and is not as it was at the start, which is in effect."""
    needing = [each for each in keys_of(Settings) if each.reload == "restart"]
    changed = [each.name for each in needing if getattr(at_start, each.field) != getattr(now, each.field)]
    return [f"{name} is not as at the start: that needs a hot restart or a new start" for name in changed]


def findings(at_start: Settings, now: Settings, certificates: Iterable[Known], time: float) -> list[str]:
    """Return what an operator should know of settings that a reload took. `time` is in seconds since 1970."""
    return [*not_reloaded(at_start, now), *advice(now), *warnings(certificates, time)]


def log_not_reloaded(at_start: Settings, now: Settings, log: Log) -> None:
    """Log the changes of a reload that need a restart."""
    for sentence in not_reloaded(at_start, now):
        log.warning("not reloaded", why=sentence)


def log_refused_reload(error: ReasonedError, log: Log) -> list[str]:
    """Log why a reload was refused, with a line for each problem. Return the problems."""
    problems = str(error).splitlines()
    for each in problems:
        log.error("reload refused", **error.reason.facts, why=Whole(each))
    return problems
