"""The servers for the clients: the gateway, and the upstream behind it."""

import json

from .programs import Program
from .scenario import Seen

# All that a configuration needs.
CONFIGURATION = """\
version: 1
listeners:
  - bind: ["127.0.0.1:0"]
routes:
  - match: {{path: {{prefix: /}}}}
    upstream: echo
upstreams:
  echo:
    targets: [{{url: "ws://127.0.0.1:{port}"}}]
"""


class Upstream:
    """A WebSocket server behind the gateway."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.port = int(program.find_line(r"^(\d+)$")[1])

    def closing(self, path: str) -> Seen:
        """Wait until a connection for this path has ended there. Return the code and the reason of its Close."""
        while True:
            ended = json.loads(self._program.find_line(r"^{.*}$")[0])
            if ended.pop("path") == path:
                return ended


class Gateway:
    """A gateway process."""

    def __init__(self, program: Program) -> None:
        self.log = program.output
        """all its lines until now"""
        self.address = program.find_line(r"listening.*(127\.0\.0\.1:\d+)")[1]
        self.port = int(self.address.rpartition(":")[2])

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}://{self.address}{path}"
