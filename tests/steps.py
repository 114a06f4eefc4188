"""The steps that a call takes: how many lines of the gateway run, however fast the machine is."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import wsgateway

_PACKAGE = str(Path(wsgateway.__file__).parent)


def steps(call: Callable[[], object]) -> int:
    """Return how many lines of the gateway's modules a call runs; one that runs again counts again.

    No garbage is collected meanwhile: lines run when generators that others left behind are closed.
    """
    count = 0

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(_PACKAGE) else None

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return count
