"""The web server whose pages the browsers show: it gives them their origin, a cookie, and to Chromium its jobs."""

import json
import queue
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from .programs import PATIENCE_SECONDS, PEERS, Program
from .scenario import Seen

COOKIE = "sid=abc"


class Pages:
    """Serves the pages in peers/ on loopback."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._seen: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        handler = partial(_Handler, self._jobs, self._seen, directory=PEERS)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)

    def play(self, scenario: str, url: str, browser: Program) -> Seen:
        """Give a job to the browser, which shows chromium.html. Return what its page reports."""
        self._jobs.put({"scenario": scenario, "url": url})
        try:
            return self._seen.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise AssertionError(f"{url}: no report within {PATIENCE_SECONDS} s from {browser}") from None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    """Serve files, and two addresses that are none: GET /job waits until there is one, POST /seen takes a report."""

    def __init__(
        self,
        jobs: queue.SimpleQueue[dict[str, str] | None],
        seen: queue.SimpleQueue[Seen],
        *args: object,
        **options: object,
    ) -> None:
        self._jobs = jobs
        self._seen = seen
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        if self.path != "/job":
            super().do_GET()
        elif (job := self._jobs.get()) is not None:
            body = json.dumps(job).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self) -> None:
        self._seen.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def end_headers(self) -> None:
        self.send_header("Set-Cookie", f"{COOKIE}; Path=/")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing: what a page did is in its report."""
