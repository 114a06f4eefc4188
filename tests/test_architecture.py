"""Who may import whom, and what a module looks like: read from the sources, so that no arrow turns round unseen."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "wsgateway"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(file for file in Path(__file__).parent.rglob("*.py") if "node_modules" not in file.parts)
MAX_LINES = 400

# Each part, and the parts that it may import besides itself. Some modules of `relay`, `upstream` and `census` are parts
# of their own.
MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "native": set(),
    "wire": {"errors", "native"},
    "dialects": {"errors", "wire"},
    "relay.messages": {"errors", "wire", "dialects"},
    "relay.translate": {"errors", "wire", "dialects", "relay.messages"},
    "relay.closing": {"errors", "wire", "dialects"},
    "relay.endpoint": {"dialects", "native", "net", "relay.closing", "wire"},
    "relay.ends": {"relay.endpoint"},
    "relay.join_memory": {"errors", "relay.endpoint"},
    "relay.timer": {"errors", "wire", "relay.closing", "relay.endpoint"},
    "relay.pauses": {"relay.endpoint"},
    "relay.watches": set(),
    "relay.engine": {
        "errors", "wire", "dialects", "native", "net", "relay.closing", "relay.endpoint", "relay.ends",
        "relay.join_memory", "relay.pauses", "relay.timer", "relay.watches",
    },
    "relay.record": {
        "errors", "wire", "dialects", "relay.endpoint", "relay.messages", "relay.timer", "relay.translate",
    },
    "relay.moving": {
        "errors", "wire", "dialects", "relay.endpoint", "relay.engine", "relay.record", "relay.timer",
        "relay.translate",
    },
    "relay": set(),
    "net": set(),
    "trace": {"errors", "wire", "dialects"},
    "settings": {"errors", "wire", "dialects"},
    "census.tally": set(),
    "observe": {"errors", "wire", "dialects", "native", "net", "settings", "version", "census.tally"},
    "census": {"errors", "dialects", "settings", "observe", "census.tally"},
    "page": {"errors", "dialects", "observe"},
    "policy": {"errors", "wire", "dialects", "settings"},
    "upstream.balance": {"settings"},
    "upstream.health": {"settings"},
    "upstream.candidates": {"upstream.balance", "upstream.health"},
    "upstream": {
        "errors", "wire", "dialects", "net", "settings", "observe", "upstream.balance", "upstream.candidates",
        "upstream.health",
    },
    "serve": {
        "errors", "wire", "dialects", "relay.translate", "relay.closing", "relay.endpoint", "relay.engine",
        "relay.moving", "relay.record", "relay.timer", "relay.watches", "net", "settings", "observe", "policy", "trace",
        "upstream", "census.tally",
    },
    "run": {"errors", "dialects", "relay.closing", "settings", "observe", "page", "serve", "census.tally", "census"},
    "probe": {"errors", "wire", "dialects", "net", "trace", "upstream"},
    "demo": {"errors", "wire", "dialects", "net", "settings", "observe", "serve", "run", "probe", "trace"},
    "units": {"errors"},
    "commands": {
        "errors", "dialects", "settings", "policy", "observe", "run", "probe", "demo", "trace", "units",
        "census", "wsgateway",
    },
    "cli": {"wsgateway", "errors", "native", "observe", "commands"},
    "shells": {"cli", "commands", "wsgateway"},
    "__main__": {"cli"},
    "wsgateway": {"errors", "dialects", "run", "version"},
}  # fmt: skip

# Bytes in, bytes out: time, randomness and sockets are somebody else's.
PURE = {
    "wire", "dialects", "census.tally", "relay.messages", "relay.translate", "relay.closing", "policy",
    "upstream.balance", "upstream.candidates", "upstream.health",
}  # fmt: skip
IMPURE_MODULES = {
    "trio", "socket", "ssl", "time", "logging",
    "asyncio", "datetime", "os", "random", "secrets", "select", "subprocess", "threading",
}  # fmt: skip


def name_of(file: Path) -> str:
    """Return the name of a module below `wsgateway`; empty for that itself."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the part that a module belongs to, by its name below `wsgateway`."""
    if not module:
        return "wsgateway"
    within = ".".join(module.split(".")[:2])
    return within if within in MAY_IMPORT else module.split(".")[0]


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield every module that a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}:{node.lineno}: a relative import"
            assert not node.level, f"{file}:{node.lineno}: a relative import"
            if node.module in ("wsgateway", "wsgateway.relay"):
                # `from wsgateway import wire` is an import of wire.
                for alias in node.names:
                    inside = PACKAGE.joinpath(*node.module.split(".")[1:], alias.name)
                    is_module = inside.is_dir() or inside.with_suffix(".py").exists()
                    yield node.lineno, f"{node.module}.{alias.name}" if is_module else node.module
            else:
                yield node.lineno, node.module


# Words that begin a sentence about something, and none that says what to do.
NOT_VERBS = {
    "A", "All", "Also", "An", "And", "Another", "Any", "Anything", "As", "At", "Be", "Before", "Both", "But", "By",
    "Each", "Either", "Every", "Everything", "For", "From", "How", "If", "In", "Is", "It", "Its", "More", "Most",
    "Neither", "No", "None", "Not", "Nothing", "Of", "On", "One", "Only", "Or", "Our", "Same", "Some", "Such",
    "That", "The", "Their", "Then", "There", "These", "They", "This", "Those", "Till", "To", "Until", "What",
    "Whatever", "When", "Whenever", "Where", "Whether", "Which", "Who", "Whoever", "Whose", "Why", "With",
    "Without",
}  # fmt: skip

PURE_MODULES = [file for file in MODULES if part_of(name_of(file)) in PURE]


def refuse(faults: list[str]) -> None:
    """Raise AssertionError with all faults, a line each, if there are any."""
    assert not faults, "\n".join(faults)


def test_every_part_has_its_place() -> None:
    assert {part_of(name_of(file)) for file in MODULES} == MAY_IMPORT.keys()


def test_the_arrows_have_one_direction() -> None:
    TopologicalSorter(MAY_IMPORT).prepare()  # raises CycleError if there is a way round


def test_a_module_imports_only_what_its_part_may() -> None:
    faults = []
    for file in MODULES:
        part = part_of(name_of(file))
        for line, imported in imports(file):
            top, _, below = imported.partition(".")
            if top == "wsgateway" and part_of(below) not in {part, *MAY_IMPORT[part]}:
                faults.append(f"{file}:{line}: {part} must not import {imported}")
    refuse(faults)


# Modules, and what they import inside a function: large, and not needed by most processes.
IMPORTED_LATE = {
    ("census.file", "wsgateway.census.store"),
    ("commands.status", "rich.live"),
    ("commands.status", "rich.text"),
    ("run.worker", "wsgateway.settings.load"),
    ("serve.session", "wsgateway.serve.http2"),
    ("settings.regexes", "re2"),
    ("settings.regexes", "wsgateway.settings.repeats"),
    ("upstream.resolve", "dns.asyncresolver"),
    ("upstream.resolve", "dns.exception"),
}


def test_imports_stand_at_the_top_but_for_what_few_processes_need() -> None:
    found = set()
    for file in MODULES:
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import):
                        found |= {(name_of(file), alias.name) for alias in node.names}
                    elif isinstance(node, ast.ImportFrom):
                        found.add((name_of(file), str(node.module)))
    assert found == IMPORTED_LATE


def test_a_pure_module_has_no_input_or_output_and_no_clock() -> None:
    imported = [(file, line, name) for file in PURE_MODULES for line, name in imports(file)]
    refuse([f"{file}:{line}: imports {name}" for file, line, name in imported if name.split(".")[0] in IMPURE_MODULES])


def test_the_pure_parts_can_be_had_without_trio() -> None:
    # What they import imports none, either.
    pure = ["wsgateway." + name_of(file) for file in PURE_MODULES]
    code = f"import sys, {', '.join(pure)}; print(sorted({{'trio', 'asyncio'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_module_has_at_most_400_lines() -> None:
    lengths = [(file, len(file.read_text().splitlines())) for file in [*MODULES, *TESTS]]
    refuse(
        [f"{file} has {lines} lines, at most {MAX_LINES} are allowed" for file, lines in lengths if lines > MAX_LINES]
    )


def test_a_module_says_what_it_is() -> None:
    refuse([f"{file} has no docstring" for file in MODULES if not ast.get_docstring(ast.parse(file.read_text()))])


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a file, but for properties, which are described as attributes are."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {ast.unparse(each) for each in node.decorator_list}
            if not decorators & {"property", "cached_property"}:
                yield node


def is_command(docstring: str) -> bool:
    """Return whether a docstring begins with a verb in the imperative, as far as its first word shows."""
    word = docstring.split()[0].rstrip(",;:.")
    third_person = word.endswith("s") and not word.endswith("ss")
    return word.isalpha() and word.istitle() and word not in NOT_VERBS and not third_person


def test_a_docstring_of_a_function_says_what_to_do() -> None:
    faults = []
    for file in MODULES:
        for node in functions(file):
            docstring = ast.get_docstring(node)
            if docstring and not is_command(docstring):
                faults.append(f"{file}:{node.lineno}: {node.name}: {docstring.splitlines()[0]}")
    refuse(faults)


def test_a_docstring_begins_with_one_sentence_of_its_own() -> None:
    faults = []
    for file in MODULES:
        for node in functions(file):
            first, *rest = (ast.get_docstring(node) or ".").splitlines()
            if not first.endswith((".", "?")) or (rest and rest[0]):
                faults.append(f"{file}:{node.lineno}: {node.name}: {first}")
    refuse(faults)


def test_a_word_that_is_no_command_is_found() -> None:
    assert is_command("Return the key.")
    assert is_command("Pass it on.")
    for docstring in ("Returns the key.", "The key.", "What is said.", "`key` is taken.", "Whether it is one."):
        assert not is_command(docstring)
