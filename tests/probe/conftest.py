"""What tests of probes share."""

import pytest

from tests.net.certificates import authority
from tests.support import PATIENCE_SECONDS
from wsgateway.probe import client

__all__ = ["authority"]


@pytest.fixture(autouse=True)
def patient_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a probe wait for the answer to its Close as long as a busy machine may need."""
    monkeypatch.setattr(client, "PATIENCE_SECONDS", PATIENCE_SECONDS / 2)
