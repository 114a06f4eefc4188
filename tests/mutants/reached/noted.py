"""A plugin of pytest that says which file of tests begins (see `sitecustomize`)."""

import pytest
import sitecustomize


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    sitecustomize.begin(item.nodeid.partition("::")[0])
