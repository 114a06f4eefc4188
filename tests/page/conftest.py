"""The browser of the tests, which is started once, and a tab of it for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.programs import CHROMIUM_OPTIONS, PATIENCE_SECONDS, Program, tool
from tests.page.browser import Tab, new_tab

# Names that lead a browser to this machine, as those of other sites can.
EVIL, OTHER = "evil.example", "other.example"


@pytest.fixture(scope="session")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield where the DevTools of a browser listen."""
    folder = tmp_path_factory.mktemp("chromium")  # a short name: that of a socket goes behind it
    with Program(
        tool("chromium"),
        *CHROMIUM_OPTIONS,
        "--remote-debugging-port=0",
        f"--host-resolver-rules=MAP {EVIL} 127.0.0.1, MAP {OTHER} 127.0.0.1",
        f"--user-data-dir={folder}",
        environment={"TMPDIR": str(folder)},  # where it leaves things behind
    ) as browser:
        yield browser.find_line(r"DevTools listening on (ws://\S+)", 3 * PATIENCE_SECONDS)[1]


@pytest.fixture
async def tab(devtools: str) -> AsyncIterator[Tab]:
    async with new_tab(devtools) as tab:
        yield tab
