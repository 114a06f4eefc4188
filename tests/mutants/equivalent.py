"""Changes that change nothing that anybody could see, judged by hand: they are left out of samples and of the score."""

# Module below `wsgateway`, text of the line, what is done to it; and why nobody could see that.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("relay/engine.py", "self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)", "0 -> 1"): (
        "the loop notes once more, at its start, that it runs"
    ),
    ("run/hot_restart.py", "_, status = os.waitpid(pid, 0)  # noqa: ASYNC222  it has ended", "0 -> 1"): (
        "1 is WNOHANG, and the process has ended: its pidfd is readable"
    ),
    ("run/settings_transfer.py", "ROUTES_AT_ONCE = 10", "10 -> 11"): "a turn of the loop takes a tenth longer",
    (
        "run/slot.py",
        "self.worker, self.serving_since, self.silent_seconds = worker, None, 0.0",
        "0.0 -> 1.0",
    ): "nothing is asked of a new process before the first look at it, which begins the count anew",
    ("upstream/connect.py", "for _, late in won[1:]:", "1 -> 2"): (
        "two addresses would have to accept in the same turn of the loop, and a socket that nobody has is closed anyway"
    ),
    ("upstream/names.py", "unbounded = trio.CapacityLimiter(1)", "1 -> 2"): "one thread alone ever asks it for a token",
    ("upstream/tls.py", "context.verify_flags &= ~ssl.VERIFY_X509_STRICT", "statement missing"): (
        "the flag is set by Python 3.13 and later alone, whose tests would notice"
    ),
}
