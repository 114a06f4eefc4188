"""What a gateway says of its certificates while it runs: in the log at start, reload and daily, and in the status."""

from collections.abc import Callable, Iterable, Iterator

import trio

from wsgateway.observe.log import Log, Whole
from wsgateway.observe.status import CertificateStatus
from wsgateway.settings.certificates import Known, warnings

DAY_SECONDS = 24 * 3600.0


def warn_of_certificates(certificates: Iterable[Known], log: Log, now: float) -> None:
    """Log what should be said of certificates. `now` is in seconds since 1970."""
    for sentence in warnings(certificates, now):
        log.warning("certificate", why=Whole(sentence))


async def warn_daily(certificates: Callable[[], Iterable[Known]], log: Log, now: Callable[[], float]) -> None:
    """Log it again each day, of those that are served then. Runs until it is cancelled."""
    while True:
        await trio.sleep(DAY_SECONDS)
        warn_of_certificates(certificates(), log, now())


def certificate_status(certificates: Iterable[Known]) -> Iterator[CertificateStatus]:
    """Return the certificates as the status has them; times are seconds since 1970."""
    for each in certificates:
        yield {
            "used_by": each.use.used_by,
            "file": each.use.file,
            "begins": each.begins,
            "expires": each.ends,
            "hosts": list(each.names),
        }
