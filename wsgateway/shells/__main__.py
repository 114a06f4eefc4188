"""Write the completions and the manual page: `python -m wsgateway.shells DIR` makes share/ in DIR."""

import argparse
import sys
from pathlib import Path

import shtab

from wsgateway.cli import COMMANDS, parser_of
from wsgateway.commands.completion import FILES
from wsgateway.shells import MANUAL
from wsgateway.shells.manual import manual


def main(folder: Path) -> None:
    """Write all files below a directory."""
    parser = parser_of(COMMANDS)
    texts = {MANUAL: manual(parser)}
    for action in _actions(parser):
        if action.dest == "file":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.dest == "directory":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    texts |= {name: shtab.complete(parser, shell) for shell, name in FILES.items()}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return all options and arguments of a parser, and of those for its commands."""
    found = list(parser._actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                found += _actions(each)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
