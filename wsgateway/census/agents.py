"""The families of programs by their User-Agent: what an operator calls a program, and not each of its versions.

The table is read from top to bottom, and the first row that fits wins. Versions are told apart where programs changed
their dialect of WebSocket. Most browsers of the hixie drafts sent no User-Agent with a WebSocket: these are `none`.
"""

import re
from functools import lru_cache

from wsgateway.census.tally import OTHER

NONE = "none"

# A family, and what its User-Agent matches, in any case. `#` stands for a number, and the bounds are those that it may
# have. A client chooses its User-Agent, so what has .* begins with ^: it is tried once, and not from each character.
_ANY = (0, 10**6)
_TABLE: tuple[tuple[str, str, tuple[int, int]], ...] = (
    # Devices, whose User-Agents also name the browser that they were made from.
    ("HbbTV", r"hbbtv", _ANY),
    ("Samsung TV", r"maple|^(?=.*samsung).*smart-?tv|^(?=.*tizen).*tv", _ANY),
    ("LG TV", r"netcast|web0s|webos\.tv|\blg browser", _ANY),
    ("Sony or Philips TV", r"bravia|nettv|^(?=.*philips).*tv", _ANY),
    ("Opera TV", r"opera tv|\boipf\b|\bce-html\b|^(?=.*opera).*\b(?:tv store|sdk)\b", _ANY),
    ("set-top box", r"set-?top|\bstb\b|\bmag[0-9]{3}\b|kreatel|ekioh|espial|netrange|aminet", _ANY),
    ("set-top box", r"^(?=.*motorola).*vip", _ANY),
    ("Android TV or Chromecast", r"crkey|android tv|aft[a-z]+ build|\bbravia", _ANY),
    ("PlayStation", r"playstation", _ANY),
    ("Nintendo", r"nintendo", _ANY),
    ("Xbox", r"xbox", _ANY),
    ("BlackBerry", r"blackberry|playbook|\bbb10\b", _ANY),
    ("Kindle", r"kindle|\bsilk/", _ANY),
    ("PhantomJS 1", r"phantomjs/#", (0, 1)),
    ("PhantomJS 2", r"phantomjs/#", (2, 99)),
    # Plug-ins and frameworks.
    ("Flash or AIR", r"shockwave|flash|adobeair", _ANY),
    ("Silverlight", r"silverlight", _ANY),
    ("Unity", r"unityplayer|unitywebrequest|\bunity\b", _ANY),
    ("Electron", r"electron/", _ANY),
    # iOS names Safari, too.
    ("Chrome on iOS", r"crios/", _ANY),
    ("iOS 4 or 5", r"^(?=.*ip(?:hone|ad|od)).* os #_", (2, 5)),
    ("iOS 6 or later", r"^(?=.*ip(?:hone|ad|od)).* os #_", (6, 999)),
    ("iOS program", r"cfnetwork/|\bios\b|iphone|ipad|ipod", _ANY),
    # Browsers. Those made of Chrome name Chrome, and Chrome names Safari.
    ("Internet Explorer", r"msie #|trident/", _ANY),
    ("Edge 12 to 18", r"edge/#", _ANY),
    ("Edge", r"edg(?:a|ios)?/#", _ANY),
    ("Opera 10 to 12.0", r"^opera/.*version/1(?:0|1|2\.0)", _ANY),
    ("Opera 12.1", r"^opera/.*version/12", _ANY),
    ("Opera", r"^opera|\bopr/", _ANY),
    ("Samsung browser", r"samsungbrowser/", _ANY),
    ("Firefox 4 or 5", r"firefox/#", (4, 5)),
    ("Firefox 6", r"firefox/#", (6, 6)),
    ("Firefox 7 to 10", r"firefox/#", (7, 10)),
    ("Firefox 11 or later", r"firefox/#", (11, 9999)),
    ("Android browser", r"^(?=.*android)(?=.*safari/)(?!.*chrome).*version/#", _ANY),
    ("Chrome 4 or 5", r"chrom(?:e|ium)/#", (4, 5)),
    ("Chrome 6 to 13", r"chrom(?:e|ium)/#", (6, 13)),
    ("Chrome 14 or 15", r"chrom(?:e|ium)/#", (14, 15)),
    ("Chrome 16 or later", r"chrom(?:e|ium)/#", (16, 9999)),
    ("Safari 5", r"^(?=.*safari/).*version/#", (3, 5)),
    ("Safari 6 or later", r"^(?=.*safari/).*version/#", (6, 9999)),
    ("Qt WebKit", r"\bqt/|qtwebengine|qtwebkit", _ANY),
    ("WebKit", r"applewebkit/", _ANY),
    # Programs without a browser.
    ("Java", r"\bjava\b|java/|apache-httpclient|\btyrus|jetty", _ANY),
    ("OkHttp", r"okhttp", _ANY),
    (".NET", r"\.net\b|dotnet|websocketsharp|websocket-sharp", _ANY),
    ("Python", r"python|websockets/|aiohttp|autobahn|tornado", _ANY),
    ("Node.js", r"\bnode\b|node\.js|nodejs|undici|^ws$|socket\.io", _ANY),
    ("Go", r"go-http-client|gorilla", _ANY),
    ("Rust", r"tungstenite|reqwest|\brust\b", _ANY),
    ("Ruby", r"\bruby\b|faye", _ANY),
    ("Perl or PHP", r"\bperl\b|libwww|mojolicious|\bphp\b|ratchet|\bguzzle", _ANY),
    ("C or C++", r"libwebsockets|websocket\+\+|websocketpp|\bbeast\b|libcurl|\bpoco\b", _ANY),
    ("embedded device", r"arduino|esp8266|esp32|micropython|espressif", _ANY),
    ("curl", r"^curl/|websocat|wscat", _ANY),
    ("wsgateway", r"^wsgateway", _ANY),
    ("bot or monitor", r"bot\b|crawl|spider|monitor|pingdom|uptime|nagios|zgrab|masscan|nmap|censys", _ANY),
)  # fmt: skip

_ROWS = tuple(
    (family, re.compile(text.replace("#", r"([0-9]{1,6})"), re.IGNORECASE), of) for family, text, of in _TABLE
)
FAMILIES = (*dict.fromkeys(family for family, _, _ in _TABLE), NONE, OTHER)
"""all that `family` returns"""

# More than there are programs in one place; a client may make up more.
_REMEMBERED = 4096


@lru_cache(maxsize=_REMEMBERED)
def family(agent: str) -> str:
    """Return the family of a User-Agent: one of `FAMILIES`; `none` for an empty one, `other` for one in no row."""
    if not agent.strip():
        return NONE
    if agent == OTHER:
        return OTHER
    for name, pattern, (least, most) in _ROWS:
        found = pattern.search(agent)
        if found is not None and (pattern.groups == 0 or found[1] is None or least <= int(found[1]) <= most):
            return name
    return OTHER
