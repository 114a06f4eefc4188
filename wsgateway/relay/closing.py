"""The rules for closing a session: which Close each side is sent when it ends.

    cause                             sent to its source                 sent to the other side
    a Close                           the same code: by the other        the same, as far as its dialect can carry it
                                      side's answer, or else by us       (`translate` has passed it on)
    a fault of a client               the code of the fault, after       1001, or the Close of its dialect
                                      the upstream's last replies
    a fault of an upstream            the code of the fault              1014 if its dialect has it, else the end of
                                                                         the connection
    an end without a Close            nothing: it is disconnected        an upstream: the end of the connection; a
                                                                         client: as above
    a close by the gateway            the gateway's code, or 1001 if     the same
                                      the dialect does not have it

A fault is a broken rule or limit. What a client sent before its fault was good, and has reached the upstream; so the
replies to that are still passed on. An upstream that broke the rules gets nothing more from its client: what it sent
before its fault has been passed on, and is sent to the end before the client gets its Close.
"""

from dataclasses import dataclass

from wsgateway.dialects.base import Side
from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.closecodes import ABNORMAL, BAD_GATEWAY, GOING_AWAY
from wsgateway.wire.events import Close, Role


@dataclass(frozen=True, slots=True)
class ServerClose:
    """The gateway's decision to close a session; neither side is the cause."""

    reason: Reason
    why: str
    """the reason, for the log"""
    code: int = GOING_AWAY


Ending = Close | ProtocolError | OSError | ServerClose
"""How a session ended: by the Close of a side, by its fault, by an error of its connection, or by the gateway."""

# How long to wait for the answer to a closing frame in a dialect whose clients may not know it (Framing.answers_close).
# A WebKit of 2011 takes the closed connection for the close, so this only has to let the frame arrive before that. If
# an upstream has sent nothing for as long after our Close, the end of our stream is sent, too: some servers understand
# nothing else. It is not sent at once because some proxies before servers then cut the connection.
BRIEF_SECONDS = 0.5
# How long an upstream may reply before it is sent the Close that its client's fault causes. Many libraries refuse to
# send after they have read a Close (`ws`, `websockets`), so a Close together with the last message would prevent the
# reply to that. The client waits for its own Close by this time longer; test suites wait for one second.
REPLY_SECONDS = 0.25
# How much of an upstream's replies is passed on in that time. It is as much as 16 reads, and more than most messages.
# Without a limit an upstream that never stops would go on sending for a client that broke the rules.
REPLIES_BYTES = 1024 * 1024


def closing(ending: Ending, to_source: bool, side: Side) -> Close | None:
    """Return the Close that the gateway sends to a side at the end of a session; None for nothing.

    `to_source` says whether that side is the one that ended the session.
    """
    codes = side.framing.close_codes
    match ending:
        case ServerClose(code=code):
            return Close(code if code in codes else GOING_AWAY)
        case Close(code):
            return Close(code) if to_source else None
        case ProtocolError() if to_source and not is_disconnected(ending):
            return Close(ending.close_code)
    if side.role is Role.SERVER:
        return Close(BAD_GATEWAY) if not to_source and BAD_GATEWAY in codes else None
    return None if to_source or is_disconnected(ending) else Close(GOING_AWAY)


def is_disconnected(ending: Ending) -> bool:
    """Return whether the side that ended the session is disconnected without a Close, so that it can get none."""
    return isinstance(ending, OSError) or (isinstance(ending, ProtocolError) and ending.close_code == ABNORMAL)
