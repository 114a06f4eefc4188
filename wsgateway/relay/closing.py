"""Who is told what when a session ends.

    what happened                     its source is told                 the other side is told
    a Close                           the same code: by the other        the same, as far as its dialect can say it
                                      side's answer, or else by us       (`translate` has passed it on)
    a fault: a rule or limit broken   the code of the fault              1014 if it is a client that knows it,
    an end without a Close            nothing: it is gone                otherwise its connection is cut
    we stop                           1001                               1001

No code is invented for the other side of a fault: a connection that is cut is what happened.
"""

from wsgateway.dialects.base import Side
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import ABNORMAL, BAD_GATEWAY, GOING_AWAY
from wsgateway.wire.events import Close, Role

Ending = Close | ProtocolError | OSError | None
"""How a side ended a session: its goodbye, its fault, or what its connection failed with. None: we ended it."""

# How long to wait for the answer to a closing frame in a dialect whose clients may not know it (Framing.answers_close).
# A WebKit of 2011 takes the closed connection for the close, so this only has to let the frame arrive before.
BRIEF_SECONDS = 0.5


def farewell(ending: Ending, to_source: bool, side: Side) -> Close | None:
    """The Close that a side gets from us at the end of a session; None: nothing.

    `to_source` says whether it is the side that ended it.
    """
    match ending:
        case None:
            return Close(GOING_AWAY)
        case Close(code):
            return Close(code) if to_source else None
        case ProtocolError(close_code=code) if to_source and code != ABNORMAL:
            return Close(code)
    knows = not to_source and side.role is Role.SERVER and BAD_GATEWAY in side.framing.close_codes
    return Close(BAD_GATEWAY) if knows else None
