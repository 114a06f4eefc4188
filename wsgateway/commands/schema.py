"""The command `schema`."""

import argparse
import json

from wsgateway.commands import GOOD
from wsgateway.settings.json_schema import json_schema


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its description."""
    parser.description = (
        "Print a JSON Schema of the configuration. Write it to wsgateway.schema.json beside the file: then"
        " an editor with yaml-language-server completes keys and marks mistakes."
    )
    parser.set_defaults(command=_schema)


def _schema(options: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return GOOD
