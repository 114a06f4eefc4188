"""The table of several reports, with a row for each."""

from wsgateway.probe.client import Report, milliseconds

_COLUMNS = (("dialect", 9), ("result", 9), ("subprotocol", 12), ("handshake", 10), ("round trip", 10))
_LAST = "how it ended"


def heading() -> str:
    """Return the first line of the table."""
    return _line([title for title, _ in _COLUMNS], _LAST)


def row(report: Report) -> str:
    """Return the line for a report."""
    cells = [
        report.dialect,
        report.result,
        report.subprotocol or "",
        "" if report.handshake_seconds is None else milliseconds(report.handshake_seconds),
        "" if report.round_trip_seconds is None else milliseconds(report.round_trip_seconds),
    ]
    return _line(cells, report.error or report.closed or "")


def _line(cells: list[str], last: str) -> str:
    padded = [f"{cell:<{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True)]
    return "  ".join([*padded, last]).rstrip()
