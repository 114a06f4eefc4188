"""Who is told what when a session ends.

    what happened                     its source is told                 the other side is told
    a Close                           the same code: by the other        the same, as far as its dialect can say it
                                      side's answer, or else by us       (`translate` has passed it on)
    a fault: a rule or limit broken   the code of the fault              1014 if it is a client that knows it,
    an end without a Close            nothing: it is gone                otherwise its connection is cut
    we end it                         our code, or 1001 if its dialect   the same
                                      does not have it

No code is invented for the other side of a fault: a connection that is cut is what happened.
"""

from dataclasses import dataclass

from wsgateway.dialects.base import Side
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import ABNORMAL, BAD_GATEWAY, GOING_AWAY
from wsgateway.wire.events import Close, Role


@dataclass(frozen=True, slots=True)
class Dismissal:
    """We end a session, of which neither side is the cause."""

    why: str
    """for the log"""
    code: int = GOING_AWAY


Ending = Close | ProtocolError | OSError | Dismissal
"""How a session ended: by the goodbye of a side, its fault, what its connection failed with, or by us."""

# How long to wait for the answer to a closing frame in a dialect whose clients may not know it (Framing.answers_close).
# A WebKit of 2011 takes the closed connection for the close, so this only has to let the frame arrive before.
BRIEF_SECONDS = 0.5


def farewell(ending: Ending, to_source: bool, side: Side) -> Close | None:
    """The Close that a side gets from us at the end of a session; None: nothing.

    `to_source` says whether it is the side that ended it.
    """
    match ending:
        case Dismissal(code=code):
            return Close(code if code in side.framing.close_codes else GOING_AWAY)
        case Close(code):
            return Close(code) if to_source else None
        case ProtocolError(close_code=code) if to_source and code != ABNORMAL:
            return Close(code)
    knows = not to_source and side.role is Role.SERVER and BAD_GATEWAY in side.framing.close_codes
    return Close(BAD_GATEWAY) if knows else None
