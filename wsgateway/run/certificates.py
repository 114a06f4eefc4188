"""The dates of certificates while a gateway runs: in the log at start, at a reload and daily, and in the status."""

from collections.abc import Callable, Iterable, Iterator

import trio

from wsgateway.observe.log import Log, Whole
from wsgateway.observe.status import CertificateStatus
from wsgateway.settings.certificates import Known, warnings
from wsgateway.settings.findings import shown

DAY_SECONDS = 24 * 3600.0


def warn_of_certificates(certificates: Iterable[Known], log: Log, now: float) -> None:
    """Log what is wrong with certificates, or soon will be. `now` is in seconds since 1970."""
    for sentence in warnings(certificates, now):
        log.warning("certificate", why=Whole(sentence))


async def warn_daily(certificates: Callable[[], Iterable[Known]], log: Log, now: Callable[[], float]) -> None:
    """Log it again each day, for the certificates that are used then, until this is cancelled."""
    while True:
        await trio.sleep(DAY_SECONDS)
        warn_of_certificates(certificates(), log, now())


def certificate_status(certificates: Iterable[Known]) -> Iterator[CertificateStatus]:
    """Return the certificates as the status has them; times are seconds since 1970."""
    for each in certificates:
        yield {
            "used_by": each.use.used_by,
            "file": shown(each.use.file),
            "begins": each.begins,
            "expires": each.ends,
            "hosts": list(each.names),
        }
