"""Who may do something by the page: its own buttons, in a browser on this machine, if the configuration allows that.

There is no password, so this keeps other sites out, and other machines. It does not keep out other users of this
machine: what they may do is decided by `admin.actions`, and by who may connect.
"""

import hmac
import secrets

from wsgateway.observe.admin import Visit

TOKEN_HEADER = "Wsgateway-Token"
# Browsers tell by it which site has caused a request. What is no browser does not send it.
_FETCH_SITE = "Sec-Fetch-Site"


class Rules:
    """The rules for all that the page asks for."""

    def __init__(self, allowed: bool) -> None:
        """Take whether anything is allowed to anybody. Each process has a token of its own."""
        self._allowed = allowed
        self._token = secrets.token_urlsafe(32)

    def token_for(self, visit: Visit) -> str:
        """Return the token for a browser that may act; an empty text for one that may only look."""
        return self._token if self._allowed and visit.local else ""

    def why_not_look(self, visit: Visit) -> str:
        """Return why a browser may not have what the page shows; an empty text if it may.

        A page of another site cannot read it. But it must not even take the place of somebody who can.
        """
        if visit.request.headers.one(_FETCH_SITE) not in (None, "none", "same-origin"):
            return "a page of another site asks for this"
        return ""

    def why_not_act(self, visit: Visit) -> str:
        """Return why a browser may not act; an empty text if it may."""
        headers = visit.request.headers
        host, origin = headers.one("Host"), headers.one("Origin")
        if not self._allowed:
            return "the configuration allows no actions (admin.actions: none)"
        if not visit.local:
            return "actions are for clients on this machine (admin.actions: local)"
        if host is None or origin not in (f"http://{host}", f"https://{host}"):
            return "a page of another site asks for this"
        sent = headers.one(TOKEN_HEADER) or ""
        if not hmac.compare_digest(sent.encode(), self._token.encode()):
            return "the token is not that of this process; load the page again"
        return self.why_not_look(visit)
