"""Several reports as a table, compared literally: people read it, and scripts may."""

from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import Report
from wsgateway.probe.table import heading, row

REPORTS = [
    Report("hixie-75", True, None, None, 0.0123, None, "closed by both"),
    Report("hixie-76", False, 403, error="the server answered 403 Forbidden"),
    Report("hybi-01", False, error="closed the connection during the handshake"),
    Report("hybi-08", True, None, "sample", 1.5, 0.00004, "no answer to the closing frame within 2 s"),
    Report("rfc6455", True, None, None, 0.001, 0.0009, None, "masked frame from a server"),
]
TABLE = """\
dialect    result     subprotocol   handshake   round trip  how it ended
hixie-75   accepted                 12.3 ms                 closed by both
hixie-76   refused                                          the server answered 403 Forbidden
hybi-01    failed                                           closed the connection during the handshake
hybi-08    accepted   sample        1500.0 ms   0.0 ms      no answer to the closing frame within 2 s
rfc6455    accepted                 1.0 ms      0.9 ms      masked frame from a server
"""


def test_a_report_is_a_row_of_the_table() -> None:
    assert [heading(), *map(row, REPORTS)] == TABLE.splitlines()


def test_every_dialect_has_room_in_its_column() -> None:
    assert all(row(Report(name)).startswith(f"{name:<9}  failed") for name in DIALECTS)


def test_a_report_is_a_sentence() -> None:
    assert [str(report) for report in REPORTS] == [
        "hixie-75: accepted, handshake 12.3 ms, closed by both",
        "hixie-76: refused, the server answered 403 Forbidden",
        "hybi-01: failed, closed the connection during the handshake",
        "hybi-08: accepted, handshake 1500.0 ms, subprotocol sample, round trip 0.0 ms,"
        " no answer to the closing frame within 2 s",
        "rfc6455: accepted, handshake 1.0 ms, round trip 0.9 ms, masked frame from a server",
    ]
