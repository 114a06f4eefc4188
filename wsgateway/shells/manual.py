"""The manual page, in the language of troff, made of the parser of the command line."""

import argparse
import re
from collections.abc import Iterator

from wsgateway import __version__

_REST = r"""
.SH EXIT STATUS
0: success. 1: a fault. 2: wrong usage. 78: \fBrun\fR has found a broken file at its start.
.SH SIGNALS
Of \fBrun\fR.
.TP
SIGHUP
Read the file again. Sessions go on, and a bad file changes nothing.
.TP
SIGUSR2
Start the installed version with all sockets, and drain.
.TP
SIGTERM, SIGINT
End the sessions one after the other. A second one ends all at once.
.SH FILES
.TP
/etc/wsgateway/wsgateway.yaml
The configuration that the unit for systemd uses. \fBwsgateway example\fR prints one with every key.
.SH ENVIRONMENT
.TP
NO_COLOR, FORCE_COLOR
Print no colours, or colours also where there is no terminal.
.TP
WSGATEWAY_ENGINE
The relay to use: c or python.
.SH SEE ALSO
systemctl(1), journalctl(1)
"""


def manual(parser: argparse.ArgumentParser) -> str:
    """Return the page of a parser, and of all its commands."""
    return "\n".join(_lines(parser)) + _REST


def _lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    [commands] = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    helps = {each.dest: each.help or "" for each in commands._choices_actions}
    yield f'.TH {parser.prog.upper()} 1 "" "{parser.prog} {__version__}" "User Commands"'
    yield f".SH NAME\n{parser.prog} \\- gateway for WebSocket clients of every dialect"
    yield f".SH SYNOPSIS\n.B {parser.prog}\n.I COMMAND\n[\\fIOPTIONS\\fR]"
    yield f".SH DESCRIPTION\n{_text(parser.description or '')}"
    yield ".SH OPTIONS"
    yield from _options(parser)
    yield ".SH COMMANDS"
    for name, command in commands.choices.items():
        usage = " ".join(command.format_usage().split()).removeprefix("usage: ")
        yield f".SS {name}\n.B {_text(usage)}\n.PP\n{_text(command.description or _sentence(helps[name]))}"
        yield from _options(command)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help is argparse.SUPPRESS:
            continue
        # The formatter of argparse fills in defaults, and says how an option is written.
        formatter = parser._get_formatter()
        text = formatter._expand_help(action) if action.help else ""
        yield f".TP\n\\fB{_text(formatter._format_action_invocation(action))}\\fR\n{_text(text)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _text(text: str) -> str:
    """Return a text that troff prints as it is."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
