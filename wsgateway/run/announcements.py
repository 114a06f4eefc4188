"""The log lines of a gateway that has started or was reloaded: its addresses, and advice about its configuration."""

from collections.abc import Iterable

from wsgateway.errors import ReasonedError
from wsgateway.observe.log import Log, Whole
from wsgateway.run.certificates import warn_of_certificates
from wsgateway.run.listening import Listening, shares
from wsgateway.serve.bind import address_of
from wsgateway.settings.advice import advice
from wsgateway.settings.certificates import Known
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


def log_refused_reload(error: ReasonedError, log: Log) -> list[str]:
    """Log why a reload was refused, with a line for each problem. Return the problems."""
    problems = str(error).splitlines()
    for each in problems:
        log.error("reload refused", **error.reason.facts, why=Whole(each))
    return problems
