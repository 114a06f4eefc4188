"""The families of User-Agents, as programs of the field send them."""

import re

import pytest

from tests.cases import cases
from wsgateway.census.agents import _TABLE, FAMILIES, family

MOZILLA = "Mozilla/5.0"
SEEN = {
    "": "none",
    " ": "none",
    "Something else": "other",
    f"{MOZILLA} (Windows; U; Windows NT 5.1) AppleWebKit/532.5 (KHTML, like Gecko) Chrome/4.0.249.89 Safari/532.5":
        "Chrome 4 or 5",
    f"{MOZILLA} (X11; Linux x86_64) AppleWebKit/534.30 (KHTML, like Gecko) Chrome/12.0.742.112 Safari/534.30":
        "Chrome 6 to 13",
    f"{MOZILLA} (Windows NT 6.1) AppleWebKit/535.1 (KHTML, like Gecko) Chrome/14.0.835.202 Safari/535.1":
        "Chrome 14 or 15",
    f"{MOZILLA} (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36":
        "Chrome 16 or later",
    f"{MOZILLA} (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 Edg/124.0.0.0":
        "Edge",
    f"{MOZILLA} (X11; Linux x86_64; rv:2.0) Gecko/20100101 Firefox/4.0": "Firefox 4 or 5",
    f"{MOZILLA} (Windows NT 6.1; rv:6.0.2) Gecko/20100101 Firefox/6.0.2": "Firefox 6",
    f"{MOZILLA} (Windows NT 6.1; rv:8.0) Gecko/20100101 Firefox/8.0": "Firefox 7 to 10",
    f"{MOZILLA} (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "Firefox 11 or later",
    f"{MOZILLA} (Macintosh; U; Intel Mac OS X 10_6_4; en-us) AppleWebKit/533.18.1 (KHTML, like Gecko) Version/5.0.2"
    " Safari/533.18.5": "Safari 5",
    f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
    " Safari/605.1.15":
        "Safari 6 or later",
    f"{MOZILLA} (iPad; U; CPU OS 4_2_1 like Mac OS X; en-us) AppleWebKit/533.17.9 (KHTML, like Gecko) Version/5.0.2"
    " Mobile/8C148 Safari/6533.18.5": "iOS 4 or 5",
    f"{MOZILLA} (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
    " Mobile/15E148 Safari/604.1": "iOS 6 or later",
    "Kiosk/1 CFNetwork/485.12.7 Darwin/10.4.0": "iOS program",
    "Opera/9.80 (X11; Linux x86_64; U; en) Presto/2.9.168 Version/11.50": "Opera 10 to 12.0",
    "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.16": "Opera 12.1",
    "Opera/9.80 (Linux armv7l; HbbTV/1.1.1 (; Sony; KDL32W650A; PKG3.211EUA; 2013;)) Presto/2.12.362 Version/12.11":
        "HbbTV",
    f"{MOZILLA} (SMART-TV; X11; Linux i686) AppleWebKit/534.7 (KHTML, like Gecko) Version/5.0 Safari/534.7 SamsungTV":
        "Samsung TV",
    f"{MOZILLA} (Unknown; Linux armv7l) AppleWebKit/537.1+ (KHTML, like Gecko) Safari/537.1+ LG Browser/6.00.00(+mouse)"
    " NetCast.TV-2013": "LG TV",
    f"{MOZILLA} (QtEmbedded; U; Linux; C) AppleWebKit/533.3 (KHTML, like Gecko) MAG200 stbapp ver: 2 Safari/533.3":
        "set-top box",
    f"{MOZILLA} (PLAYSTATION 3 4.10) AppleWebKit/531.22.8 (KHTML, like Gecko)": "PlayStation",
    f"{MOZILLA} (BlackBerry; U; BlackBerry 9800; en) AppleWebKit/534.1+ (KHTML, like Gecko) Version/6.0.0.337 Mobile":
        "BlackBerry",
    f"{MOZILLA} (Unknown; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) PhantomJS/1.9.8 Safari/534.34":
        "PhantomJS 1",
    f"{MOZILLA} (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1":
        "PhantomJS 2",
    "Adobe Flash Player 10.1": "Flash or AIR",
    f"{MOZILLA} (Windows; U; en-US) AppleWebKit/531.9 (KHTML, like Gecko) AdobeAIR/2.0.3": "Flash or AIR",
    f"{MOZILLA} (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)": "Internet Explorer",
    f"{MOZILLA} (Linux; U; Android 4.0.3; de-de; Galaxy S II) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile"
    " Safari/534.30": "Android browser",
    "Java/1.6.0_26": "Java",
    "okhttp/4.12.0": "OkHttp",
    "Python/3.12 websockets/13.0": "Python",
    "Go-http-client/1.1": "Go",
    "libwebsockets": "C or C++",
    "curl/8.5.0": "curl",
}  # fmt: skip


@cases(("agent", "expected"), SEEN.items())
def test_a_user_agent_has_a_family(agent: str, expected: str) -> None:
    assert family(agent) == expected


def test_every_family_is_listed_once() -> None:
    assert len(set(FAMILIES)) == len(FAMILIES)
    assert set(SEEN.values()) <= set(FAMILIES)


@pytest.mark.parametrize("agent", ["Chrome/" + "9" * 180, "Firefox/0.9", "a" * 200, "\x00\xff" * 100])
def test_any_text_has_one_of_the_families(agent: str) -> None:
    assert family(agent) in FAMILIES


def test_no_pattern_looks_through_a_text_from_each_of_its_characters() -> None:
    for _, pattern, _ in _TABLE:
        without_groups = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", pattern))
        assert [part for part in without_groups.split("|") if ".*" in part and not part.startswith("^")] == []
