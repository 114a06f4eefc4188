"""Who is told what when a session ends.

    what happened                     its source is told                 the other side is told
    a Close                           the same code: by the other        the same, as far as its dialect can say it
                                      side's answer, or else by us       (`translate` has passed it on)
    a fault of a client               the code of the fault, behind      1001, or the Close of its dialect
                                      what the upstream still replies
    a fault of an upstream            the code of the fault              1014 if it knows that, else it is cut
    an end without a Close            nothing: it is gone                an upstream is cut, a client as above
    we end it                         our code, or 1001 if its dialect   the same
                                      does not have it

A fault is a broken rule or limit. What a client sent before its fault was good, and has reached the upstream; so the
replies to that are still passed on. An upstream that broke the rules gets nothing more from its client: what it has
said before its fault has been passed on, and is sent to the end before the client is told.
"""

from dataclasses import dataclass

from wsgateway.dialects.base import Side
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import ABNORMAL, BAD_GATEWAY, GOING_AWAY
from wsgateway.wire.events import Close, Role


@dataclass(frozen=True, slots=True)
class ServerClose:
    """We end a session, of which neither side is the cause."""

    why: str
    """for the log"""
    code: int = GOING_AWAY


Ending = Close | ProtocolError | OSError | ServerClose
"""How a session ended: by the goodbye of a side, its fault, what its connection failed with, or by us."""

# How long to wait for the answer to a closing frame in a dialect whose clients may not know it (Framing.answers_close).
# A WebKit of 2011 takes the closed connection for the close, so this only has to let the frame arrive before. An
# upstream that has been silent for so long behind our Close is told by the end of our stream, too: that is all that
# some servers understand, and some proxies in front of servers cut the connection for it.
BRIEF_SECONDS = 0.5
# How long an upstream may reply before it hears that its client broke the rules. Many libraries refuse to send once
# they have read a Close (`ws`, `websockets`), so one that came together with the last message would cost the reply to
# that. The client waits for its Close so much longer; test suites wait for one second.
REPLY_SECONDS = 0.25
# How much of an upstream's replies is passed on then. It is as much as 16 reads, and more than most messages; an
# upstream that sends for ever is not to send long for a client that broke the rules.
REPLIES_BYTES = 1024 * 1024


def closing(ending: Ending, to_source: bool, side: Side) -> Close | None:
    """The Close that a side gets from us at the end of a session; None: nothing.

    `to_source` says whether it is the side that ended it.
    """
    codes = side.framing.close_codes
    match ending:
        case ServerClose(code=code):
            return Close(code if code in codes else GOING_AWAY)
        case Close(code):
            return Close(code) if to_source else None
        case ProtocolError(close_code=code) if to_source and not has_left(ending):
            return Close(code)
    if side.role is Role.SERVER:
        return Close(BAD_GATEWAY) if not to_source and BAD_GATEWAY in codes else None
    return None if to_source or has_left(ending) else Close(GOING_AWAY)


def has_left(ending: Ending) -> bool:
    """Return whether the side that ended the session without a Close is not there any more, so nobody can be told."""
    return isinstance(ending, OSError) or (isinstance(ending, ProtocolError) and ending.close_code == ABNORMAL)
