"""Proxies that others wrote, as processes in front of a gateway; their settings are those that the manual gives."""

import grp
import os
import pwd
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .programs import Program, tool

MANUAL = (Path(__file__).parents[2] / "config" / "README.md").read_text("utf-8")

# Where the manual's settings say that the proxy listens, and that the gateway does: by the PROXY protocol, by HTTP.
_FRONT = {"haproxy": "bind :80", "nginx": "listen 80;", "caddy": "http://:80 {"}
_BY_PROXY_PROTOCOL, _BY_HTTP = "127.0.0.1:8081", "127.0.0.1:8082"

# Which the manual mentions, and does not recommend.
_HAPROXY_HTTP = """\
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend web
    bind :80
    default_backend web
backend web
    option forwardfor
    server gateway 127.0.0.1:8082
"""
# What a server needs around its settings to run as anybody, in a directory of its own, and to tell us on its output.
_AROUND = {
    "haproxy": "{settings}",
    "nginx": """\
daemon off;
pid {folder}/nginx.pid;
user {user} {group};
events {{ }}
http {{
access_log off;
client_body_temp_path {folder};
proxy_temp_path {folder};
fastcgi_temp_path {folder};
uwsgi_temp_path {folder};
scgi_temp_path {folder};
{settings}}}
""",
    "caddy": "{{\nadmin off\nauto_https off\n}}\n{settings}",
}
_COMMANDS = {
    "haproxy": ("-db", "-f", "{folder}/settings"),
    "nginx": ("-p", "{folder}", "-c", "{folder}/settings", "-e", "stderr"),
    "caddy": ("run", "--config", "{folder}/settings", "--adapter", "caddyfile"),
}
# How each says where a gateway is that listens on a Unix socket.
_UNIX = {"haproxy": "unix@{path}", "nginx": "unix:{path}", "caddy": "unix/{path}"}


def table() -> dict[str, list[str]]:
    """Return what the manual says of each proxy: one word for each group of dialects."""
    rows = re.findall(r"^\| ((?:HAProxy|nginx|Caddy)[^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", MANUAL, re.MULTILINE)
    return {row[0].replace("`", ""): [re.split("[:,]", cell)[0] for cell in row[1:]] for row in rows}


def settings(proxy: str) -> tuple[str, str]:
    """Return the program of a row of the table, and its settings."""
    if proxy == "HAProxy, mode http":
        return "haproxy", _HAPROXY_HTTP
    found = re.search(rf"^```(\w+)\n(# {proxy}, before.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no settings for {proxy} in config/README.md"
    return found[1], found[2]


def identity() -> dict[str, str]:
    """Return our user and group, for servers that would change to another user if root starts them."""
    return {"user": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}


@contextmanager
def in_front(proxy: str, gateways: tuple[str, str], folder: Path) -> Iterator[int]:
    """Yield the port of a proxy in front of two listeners of a gateway: one by the PROXY protocol, one by HTTP.

    They are HOST:PORT or the paths of Unix sockets.
    """
    program, text = settings(proxy)
    executable = tool(program)
    front = _FRONT[program]
    with socket.socket() as here:
        # Nobody else gets the port. Two of them take the socket, which listens already, so that nobody waits for them;
        # Caddy makes its own beside it.
        here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        here.bind(("127.0.0.1", 0))
        port, number = here.getsockname()[1], here.fileno()
        if program != "caddy":
            here.listen()
        instead = {
            "haproxy": f"bind fd@{number}",
            "nginx": f"listen 127.0.0.1:{port};",
            "caddy": f"http://:{port} {{\nbind 127.0.0.1",
        }[program]
        for there, gateway in zip((_BY_PROXY_PROTOCOL, _BY_HTTP), gateways, strict=True):
            place = gateway if ":" in gateway else _UNIX[program].format(path=gateway)
            text = text.replace(there, place)
        assert front in text
        text = _AROUND[program].format(
            settings=text.replace(front, instead),
            folder=folder,
            **identity(),
        )
        (folder / "settings").write_text(text)
        command = [each.format(folder=folder) for each in _COMMANDS[program]]
        environment = {"HOME": str(folder), "NGINX": f"{number};"}
        with Program(executable, *command, environment=environment, descriptors=[number]) as running:
            if program == "caddy":
                running.find_line("serving initial configuration")
            yield port
            print(running)
