"""Which configuration serves and how the last reload went, with the times of both."""

from wsgateway.errors import Reason
from wsgateway.run.configuration_state import ConfigurationState
from wsgateway.settings.load import Source

FIRST, SECOND = Source("/etc/one.yaml", "version: 1\n", "/etc"), Source("/etc/two.yaml", "", "/etc")
# With `printf 'version: 1\n' | sha256sum`, and of nothing.
SHA_FIRST = "09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847"
SHA_SECOND = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_times_of_what_serves_and_of_the_last_reload_are_told_in_milliseconds() -> None:
    now = iter([1_000_000_000.0004, 1_000_000_001.0006, 1_000_000_002.5])
    state = ConfigurationState(FIRST, lambda: next(now))
    configuration = {"file": "/etc/one.yaml", "sha256": SHA_FIRST, "since": 1_000_000_000.0}
    assert state.status() == {
        "configuration": configuration,
        "reload": {"ok": True, "at": 1_000_000_000.0, "reason": None, "why": None},
    }
    state.refused(Reason.FILE_INVALID, ["/etc/one.yaml:1:1: wrong", "/etc/one.yaml:2:1: wrong, too"])
    # What served before serves still.
    assert state.status() == {
        "configuration": configuration,
        "reload": {"ok": False, "at": 1_000_000_001.001, "reason": "file-invalid", "why": "/etc/one.yaml:1:1: wrong"},
    }
    state.serves(SECOND)
    assert state.status() == {
        "configuration": {"file": "/etc/two.yaml", "sha256": SHA_SECOND, "since": 1_000_000_002.5},
        "reload": {"ok": True, "at": 1_000_000_002.5, "reason": None, "why": None},
    }
