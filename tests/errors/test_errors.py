"""The errors: that what a peer makes long is cut in them, wherever they are told."""

import pytest

from wsgateway.errors import HttpRefusal, Problem, ProtocolError, Reason, SettingsError, UpstreamError, brief


@pytest.mark.parametrize("kind", [HttpRefusal, ProtocolError, UpstreamError])
def test_what_a_peer_says_is_cut_in_an_error(kind: type[HttpRefusal | ProtocolError | UpstreamError]) -> None:
    told = str(kind(Reason.BUG, f"Sec-WebSocket-Version is {'1' * 7000!r}, possible are 13 and 8"))
    assert told.startswith("Sec-WebSocket-Version is '1111")
    assert told.endswith("111', possible are 13 and 8")
    assert len(told) == 200


def test_what_is_wrong_with_a_configuration_is_told_in_whole() -> None:
    message = "x" * 7000
    assert str(SettingsError([Problem("f.yaml", 0, 0, message)])) == f"f.yaml: {message}"


@pytest.mark.parametrize("most", [20, 21, 22, 23, 50, 200])
def test_a_text_that_is_cut_is_as_long_as_it_may_be(most: int) -> None:
    text = "".join(map(chr, range(0x100, 0x100 + most)))
    assert brief(text, most) == text
    short = brief(text + "y", most)
    assert len(short) == most
    begin, _, end = short.partition(" [...] ")
    assert text.startswith(begin)
    assert (text + "y").endswith(end)
