"""The one list of reasons: why a client is refused, a session ends, a target fails, a change is refused.

The log, the metrics, the status, `explain`, the answer to a client and the manual use the same name. To add a reason
add a member here, raise an error with it, and run `python -m tests.documents`, which writes the table of the manual.
"""

import enum
from typing import Self

NOTHING = "Nothing needs to be done."


class Group(enum.Enum):
    """The subject of a reason, which is a heading in the manual."""

    REFUSED = "A client gets no session, and an answer"
    DISCONNECTED = "A client disconnects before it has a session"
    ENDED = "A session ends"
    TARGET = "A target fails"
    CHANGE = "A change of the gateway is refused"


class Reason(enum.StrEnum):
    """A reason: its name, its group, its code, one sentence about the cause, and one about the cure.

    The code is for the peer: an HTTP status, or the code of a Close for the end of a session. 0: there is none, or the
    error has it.
    """

    # fmt: off
    # -- before a request -----------------------------------------------------------------------------------------

    NOT_HTTP = ("not-http", Group.REFUSED, 400,
        "What the client sent is not HTTP/1.1.",
        "Find out what this client is, and send it to a port that speaks its protocol.")
    TLS_ON_PLAIN_PORT = ("tls-on-plain-port", Group.REFUSED, 400,
        "The client speaks TLS, and this listener does not.",
        "Give the listener a certificate (`listeners[].tls`), or let the client use ws:// instead of wss://.")
    PROXY_HEADER_UNEXPECTED = ("proxy-header-unexpected", Group.REFUSED, 400,
        "A proxy sends the PROXY protocol, and this listener does not accept it.",
        "Set `listeners[].proxy_protocol: {accept: required, trusted: [ADDRESS]}` with the address of the proxy, or"
        " switch it off there (`send-proxy` of HAProxy, `proxy_protocol on` of nginx).")
    PROXY_HEADER_MISSING = ("proxy-header-missing", Group.REFUSED, 0,
        "This listener requires a header of the PROXY protocol, and none came.",
        "Switch it on in the proxy in front, or set `proxy_protocol.accept: optional`.")
    PROXY_HEADER_UNTRUSTED = ("proxy-header-untrusted", Group.REFUSED, 0,
        "A header of the PROXY protocol came from an address that is not trusted.",
        "If the address belongs to your proxy, add it to `listeners[].proxy_protocol.trusted`.")
    PROXY_HEADER_MALFORMED = ("proxy-header-malformed", Group.REFUSED, 0,
        "A header of the PROXY protocol breaks the rules of that protocol.",
        "Look at the settings and the version of the proxy in front.")
    HTTP_ON_TLS_PORT = ("http-on-tls-port", Group.REFUSED, 0,
        "The client speaks HTTP without TLS, and this listener speaks TLS.",
        "Let the client use wss:// instead of ws://, or a listener without `tls`.")
    CERTIFICATE_DISTRUSTED = ("certificate-distrusted", Group.REFUSED, 0,
        "The client does not trust the certificate of this listener.",
        "Serve a certificate for the name that the client uses, within its dates, with all certificates between it and"
        " an authority that the client knows.")
    CLIENT_CERTIFICATE_REFUSED = ("client-certificate-refused", Group.REFUSED, 0,
        "The client has no certificate that this listener accepts.",
        "Give the client a certificate that an authority in `tls.client_ca` has signed, or require none.")
    TLS_NOT_SHARED = ("tls-not-shared", Group.REFUSED, 0,
        "The client and this listener have no version of TLS, or no cipher, in common.",
        "For an old client set `tls.profile: legacy`, on a listener of its own.")
    TLS_FAILED = ("tls-failed", Group.REFUSED, 0,
        "The TLS handshake with the client failed.",
        "See `why` for the text of OpenSSL; a client without TLS uses the wrong port.")
    TLS_TIMEOUT = ("tls-timeout", Group.REFUSED, 0,
        "The client did not finish its TLS handshake in time.",
        "If it is slow and not silent, raise `timeouts.handshake`.")
    POLICY_REQUEST_MISSING = ("policy-request-missing", Group.REFUSED, 0,
        "The client sent no Flash policy request to a listener that answers nothing else.",
        "Let the client use another listener; this one has `flash_policy.mode: only`.")
    HTTP2_FAULT = ("http2-fault", Group.REFUSED, 0,
        "The client broke the rules of HTTP/2.",
        "See `why`; `tls.http2.mode: none` has such a client use HTTP/1.1.")
    HTTP2_FLOOD = ("http2-flood", Group.REFUSED, 0,
        "The client sent too many HTTP/2 frames without content.",
        "If this is no attack, raise `tls.http2.control_rate`.")

    # -- in a request -------------------------------------------------------------------------------------------

    REQUEST_MALFORMED = ("request-malformed", Group.REFUSED, 400,
        "The request breaks a rule of HTTP.",
        "See `why` for the rule; where it names an entry of `tolerance`, that allows it.")
    REQUEST_TOO_LARGE = ("request-too-large", Group.REFUSED, 431,
        "The head of the request is too large.",
        "Make the cookies of the site smaller, or raise `listeners[].limits`.")
    REQUEST_TIMEOUT = ("request-timeout", Group.REFUSED, 408,
        "The request, or its body, was not complete in time.",
        "If the client is slow and not silent, raise `timeouts.handshake`, or `timeouts.send` for a body.")
    REQUEST_UNSUPPORTED = ("request-unsupported", Group.REFUSED, 501,
        "The request needs a method or a feature of HTTP that the gateway does not have.",
        "See `why`; let the client use another method, or none of that feature.")
    PATH_REFUSED = ("path-refused", Group.REFUSED, 400,
        "Some servers would read this path as a way out of its route.",
        "Let the client send a path without `.` and `..`, encoded or not, and without NUL.")
    UPGRADE_MISSING = ("upgrade-missing", Group.REFUSED, 426,
        "A plain HTTP request came to a route that serves WebSocket alone.",
        "If pages are to be served here, too, give the route an `http_upstream`.")
    UPGRADE_REMOVED = ("upgrade-removed", Group.REFUSED, 426,
        "The request has the keys of a WebSocket and no `Connection: Upgrade`: a proxy in front has removed it.",
        'In nginx write `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header'
        ' Connection "upgrade";`.')
    HANDSHAKE_MALFORMED = ("handshake-malformed", Group.REFUSED, 400,
        "The request for WebSocket breaks a rule of its dialect.",
        "See `why` for the rule; where it names an entry of `tolerance`, that allows it.")
    VERSION_UNKNOWN = ("version-unknown", Group.REFUSED, 426,
        "The client requests a version of WebSocket that does not exist.",
        "Let the client use version 13, which is RFC 6455.")
    CHALLENGE_MISSING = ("challenge-missing", Group.REFUSED, 0,
        "The 8 bytes after the head of the request never came: a proxy in front loses them, as Caddy does.",
        "Let a proxy in front pass TCP alone (`mode tcp` of HAProxy, `stream` of nginx), or connect without it.")
    ANSWER_NOT_TAKEN = ("answer-not-taken", Group.REFUSED, 408,
        "The client did not take its answer in time.",
        "If the client is slow and not stuck, raise `timeouts.send`.")

    # -- by the configuration -----------------------------------------------------------------------------------

    ROUTE_MISSING = ("route-missing", Group.REFUSED, 404,
        "No route matches this request.",
        "Compare host and path with `match` of the routes; `wsgateway explain` shows why each does not match.")
    WEBSOCKET_MISSING = ("websocket-missing", Group.REFUSED, 404,
        "The route of this request serves plain HTTP alone.",
        "Give the route an `upstream`, or put a route for WebSocket before it.")
    DIALECT_REFUSED = ("dialect-refused", Group.REFUSED, 426,
        "The route does not accept the client's dialect.",
        "If the client should be served, add its dialect to `dialects` of the route.")
    ORIGIN_REFUSED = ("origin-refused", Group.REFUSED, 403,
        "The route does not accept pages of this origin.",
        "If the page is yours, add it to `origins.allow`; programs without Origin need `origins.missing: allow`.")
    LISTENER_FULL = ("listener-full", Group.REFUSED, 503,
        "The listener has as many connections as it may have.",
        "Raise `listeners[].max_connections` and LimitNOFILE, or add workers or machines.")
    ADDRESS_FULL = ("address-full", Group.REFUSED, 429,
        "One address has as many connections as it may have.",
        "If it is a proxy, name it in `forwarded.trusted` or `proxy_protocol.trusted`; else raise"
        " `max_connections_per_ip`.")
    HANDSHAKE_RATE = ("handshake-rate", Group.REFUSED, 429,
        "One address opens sessions faster than it may.",
        "If its users are many, raise `limits.handshake_rate`.")
    UPSTREAM_FULL = ("upstream-full", Group.REFUSED, 503,
        "All targets of the upstream have as many connections as they may have, and no place became free in time.",
        "Add targets, or raise `max_connections` or `queue` of the upstream.")
    UPSTREAM_DRAINED = ("upstream-drained", Group.REFUSED, 503,
        "An operator has drained all targets of the upstream.",
        "Enable one again: `wsgateway target enable`.")
    OUT_OF_RESOURCES = ("out-of-resources", Group.REFUSED, 503,
        "The gateway has no descriptors or no memory for another connection.",
        "Raise LimitNOFILE (`ulimit -n`) or memory, or lower `max_connections`.")
    GATEWAY_STOPPING = ("gateway-stopping", Group.REFUSED, 503, "The gateway stops, and begins nothing new.", NOTHING)
    UPSTREAM_REFUSED = ("upstream-refused", Group.REFUSED, 0,
        "The server refused the session, and the client got the server's answer.",
        "Look into the log of the server.")
    SUBPROTOCOL_MISSING = ("subprotocol-missing", Group.REFUSED, 502,
        "The client needs a subprotocol, and the server chose none.",
        "Have the server choose one, or rename it with `subprotocols` of the route.")

    # -- the client has disconnected ------------------------------------------------------------------------------

    DISCONNECTED_EARLY = ("disconnected-early", Group.DISCONNECTED, 0,
        "The client closed its connection before it had sent a request, as health checks and port scans do.",
        NOTHING)
    DISCONNECTED_IN_REQUEST = ("disconnected-in-request", Group.DISCONNECTED, 0,
        "The client, or something between, closed the connection before the request was complete.",
        NOTHING)
    DISCONNECTED_BY_RESET = ("disconnected-by-reset", Group.DISCONNECTED, 0,
        "The connection of the client was reset, or failed, while its request was served.",
        "If this is frequent, look at the network and at the proxies between.")
    CLOSED_BY_DRAIN = ("closed-by-drain", Group.DISCONNECTED, 0,
        "The gateway stops, and closed a connection without a request.", NOTHING)
    DISCONNECTED_WAITING = ("disconnected-waiting", Group.DISCONNECTED, 0,
        "The client closed its connection before it had its answer.",
        "If this is frequent, see how long the servers take to answer.")
    DISCONNECTED_IDLE = ("disconnected-idle", Group.DISCONNECTED, 0,
        "The client had its answer and sent no other request.",
        NOTHING)

    # -- sessions -----------------------------------------------------------------------------------------------

    CLOSED = ("closed", Group.ENDED, 0, "One side sent a Close, as every session should end.", NOTHING)
    CONNECTION_LOST = ("connection-lost", Group.ENDED, 1006,
        "The connection of one side ended without a Close.",
        "A browser that leaves a page does this; if it is frequent, look at the network and the proxies between.")
    FRAME_MALFORMED = ("frame-malformed", Group.ENDED, 1002,
        "One side broke a rule of the frames of its dialect.",
        "See `why` for the rule; `wsgateway probe` shows what a server sends, byte for byte.")
    MESSAGE_TOO_LARGE = ("message-too-large", Group.ENDED, 1009,
        "One side sent a larger message, or one of more fragments, than it may.",
        "If the message is wanted, raise `limits.message_size` or `limits.fragments`.")
    TEXT_NOT_UTF8 = ("text-not-utf8", Group.ENDED, 1007,
        "One side sent text that is not UTF-8, or not what `binary.decode` expects.",
        "Repair the program; `invalid_utf8: replace` repairs text of old clients.")
    BINARY_UNSUPPORTED = ("binary-unsupported", Group.ENDED, 1003,
        "One side sent a binary message, and the other side has only text.",
        "Set `binary.encode` on the route: base64, latin-1 or hex.")
    MESSAGE_RATE = ("message-rate", Group.ENDED, 1008,
        "The client sent messages faster than it may.",
        "Raise `limits.message_rate`, or slow the client down instead with `message_rate_action: delay`.")
    JOIN_MEMORY_FULL = ("join-memory-full", Group.ENDED, 1013,
        "There was no memory for a message that must be complete before it is sent on.",
        "Raise `join_memory`, or lower `limits.join`.")
    SEND_TIMEOUT = ("send-timeout", Group.ENDED, 1006,
        "One side took nothing of what it was sent for too long.",
        "If it is slow and not disconnected, raise `timeouts.send`.")
    PING_TIMEOUT = ("ping-timeout", Group.ENDED, 1006,
        "One side did not answer a ping in time.",
        "If it is slow and not disconnected, raise `keepalive.timeout`.")
    IDLE_TIMEOUT = ("idle-timeout", Group.ENDED, 1001,
        "No message went either way for too long.",
        "If such sessions are wanted, raise `timeouts.idle`.")
    LIFETIME_OVER = ("lifetime-over", Group.ENDED, 1001,
        "The session has reached its longest lifetime.",
        "If such sessions are wanted, raise `timeouts.lifetime`.")
    CLOSED_BY_OPERATOR = ("closed-by-operator", Group.ENDED, 0,
        "An operator has closed the session.",
        NOTHING)
    CUT_OFF = ("cut-off", Group.ENDED, 0,
        "The gateway ended before the session was closed.",
        "Raise `shutdown.drain`, and the time that systemd or Kubernetes allows for a stop.")
    BUG = ("bug", Group.ENDED, 0, "The gateway made a mistake.", "Please report the traceback in the log.")

    # -- targets ------------------------------------------------------------------------------------------------

    TARGET_UNREACHABLE = ("target-unreachable", Group.TARGET, 502,
        "The server cannot be reached.",
        "Is it started, does it listen at this address, and do firewalls let the gateway through?")
    TARGET_CONNECT_TIMEOUT = ("target-connect-timeout", Group.TARGET, 504,
        "The server did not accept the connection, or did not finish its TLS handshake, in time.",
        "Look for a firewall that drops packets, or raise `timeouts.connect`.")
    TARGET_SLOWER = ("target-slower", Group.TARGET, 0,
        "Another address of the same name accepted the connection first.",
        "If it is always the same address, see why it is slow.")
    TARGET_UNRESOLVED = ("target-unresolved", Group.TARGET, 502,
        "The name of the server has no address, or the resolver does not answer.",
        "Try `getent ahosts NAME` on the machine of the gateway.")
    TARGET_DISTRUSTED = ("target-distrusted", Group.TARGET, 502,
        "The certificate of the server is not trusted.",
        "Set `targets[].tls.ca`, `server_name` or `pin`; `wsgateway probe` prints the pin.")
    TARGET_PIN_DIFFERS = ("target-pin-differs", Group.TARGET, 502,
        "The server did not show a pinned certificate.",
        "If the certificate was replaced on purpose, put the new pin into `targets[].tls.pin`.")
    TARGET_TLS_OLD = ("target-tls-old", Group.TARGET, 502,
        "The server seems to have only TLS 1.0 or 1.1, or keys and ciphers as old.",
        "Set `targets[].tls.profile: legacy` for this target.")
    TARGET_WITHOUT_TLS = ("target-without-tls", Group.TARGET, 502,
        "The server does not speak TLS, and the URL of the target begins with wss:// or https://.",
        "Write ws:// or http://, or another port.")
    TARGET_NEEDS_TLS = ("target-needs-tls", Group.TARGET, 502,
        "The server speaks TLS, and the URL of the target begins with ws:// or http://.",
        "Write wss:// or https://.")
    TARGET_TLS_FAILED = ("target-tls-failed", Group.TARGET, 502,
        "The TLS handshake with the server failed.",
        "See `why`; `wsgateway probe --tls-profile legacy` tries older versions and ciphers.")
    TARGET_LOST = ("target-lost", Group.TARGET, 502,
        "The server closed the connection before it had answered.",
        "Look into its log; some servers do this at a path or an Origin that they do not know.")
    TARGET_NOT_HTTP = ("target-not-http", Group.TARGET, 502,
        "What the server answers is not HTTP/1.1.",
        "Is this the right port?")
    TARGET_HTTP2 = ("target-http2", Group.TARGET, 502,
        "The server speaks only HTTP/2, and the gateway speaks HTTP/1.1 to servers.",
        "Switch HTTP/1.1 on in the server, or use another port of it.")
    TARGET_ANSWER_MALFORMED = ("target-answer-malformed", Group.TARGET, 502,
        "The answer of the server breaks the rules of HTTP, is too large, or is incomplete.",
        "See `why` for the rule; `wsgateway probe` shows what the server sends, byte for byte.")
    TARGET_HANDSHAKE_WRONG = ("target-handshake-wrong", Group.TARGET, 502,
        "The server accepted the session, and its handshake is wrong.",
        "Is `upstreams.X.dialect` the dialect of the server? `wsgateway probe --all` finds out.")
    TARGET_SILENT = ("target-silent", Group.TARGET, 504,
        "The server accepted the connection, and did not answer in time.",
        "Look into its log; if it is slow, raise `timeouts.handshake`, or `timeouts.response` for plain HTTP.")
    TARGET_STUCK = ("target-stuck", Group.TARGET, 504,
        "The server took nothing of the request for too long.",
        "Look into its log; if it is slow, raise `timeouts.send`.")
    TARGET_UNAVAILABLE = ("target-unavailable", Group.TARGET, 502,
        "The server answered that it cannot serve now.",
        "Look into its log, or into that of the proxy in front of it.")
    TARGET_CHECK_FAILED = ("target-check-failed", Group.TARGET, 502,
        "The server did not answer a health check as it should.",
        "Try the path of `health.active` by hand; `probe` and `curl` show the answer.")

    # -- changes ------------------------------------------------------------------------------------------------

    FILE_INVALID = ("file-invalid", Group.CHANGE, 0,
        "The configuration cannot be used.",
        "Correct what `why` names; `wsgateway check FILE` lists all mistakes.")
    ADDRESS_UNAVAILABLE = ("address-unavailable", Group.CHANGE, 0,
        "The gateway cannot listen on an address of the configuration.",
        "Find the process that uses it (`ss -ltnp`), or see whether the gateway may: ports below 1024 need a right.")
    CERTIFICATE_UNUSABLE = ("certificate-unusable", Group.CHANGE, 0,
        "A certificate, a key or an authority of the configuration cannot be used.",
        "See `why` for the file; the user of the gateway must be able to read it.")
    WORKER_FAILED = ("worker-failed", Group.CHANGE, 0,
        "A worker cannot serve with this configuration.",
        "See `why`, and the lines of the worker before this one.")
    CHANGES_WAITING = ("changes-waiting", Group.CHANGE, 0,
        "Too many changes wait for the present one to end.",
        "Wait for the log event `reloaded`, and reload once more.")
    HOT_RESTART_FAILED = ("hot-restart-failed", Group.CHANGE, 0,
        "The new supervisor did not start to serve, and the old one goes on.",
        "See the log lines of the new one before this one; `wsgateway check FILE` of the new version checks the file.")
    CONTROL_DENIED = ("control-denied", Group.CHANGE, 0,
        "A user may not command this gateway.",
        "Use root, or the user who runs the gateway.")

    # fmt: on

    group: Group
    code: int
    cause: str
    cure: str
    ordinary: bool
    """whether it is usual, so that nothing needs to be done"""
    facts: dict[str, str]
    """the fields of a log line: the name, and unless it is ordinary also the cause and the cure"""

    def __new__(cls, name: str, group: Group, code: int, cause: str, cure: str) -> Self:
        self = str.__new__(cls, name)
        self._value_ = name
        self.group, self.code, self.cause, self.cure = group, code, cause, cure
        self.ordinary = cure == NOTHING
        self.facts = {"reason": name} if self.ordinary else {"reason": name, "cause": cause, "cure": cure}
        return self


BY_NAME: dict[str, Reason] = {each.value: each for each in Reason}
