"""Which modules a worker and a supervisor import: they cost memory as long as the gateway runs, in each worker."""

from tests.test_imports import imported

from .worker_process import output_of_a_worker

# What other parts of the gateway use, or their libraries: each of them imports dozens of modules.
FOREIGN = {"asyncio", "email", "h2", "dns", "re2", "websockets", "importlib.metadata", "http.client", "unittest"}


def of_gateway(modules: set[str]) -> set[str]:
    return {name.removeprefix("wsgateway.") for name in modules if name.startswith("wsgateway.")}


async def test_a_worker_imports_only_what_it_serves_with() -> None:
    output = await output_of_a_worker("print(*sys.modules, sep='\\n')")
    modules = set(output.splitlines())
    own = of_gateway(modules)
    assert {"serve.session", "relay.engine", "settings.whole", "run.service"} <= own  # it has been looked at
    assert not modules & (FOREIGN | {"yaml"})
    assert not {name for name in own if name.split(".")[0] in ("cli", "commands", "demo", "probe", "units")}
    # It gets settings that are read and checked, and has no pages.
    read = {
        "load",
        "document",
        "reader",
        "rules",
        "files",
        "include",
        "environment",
        "complete",
        "certificates",
        "advice",
        "repeats",
        "example",
    }
    assert not own & {f"settings.{name}" for name in read}
    assert not own & {f"observe.{name}" for name in ("admin", "pages", "metrics", "http_server", "query")}
    assert not own & {f"run.{name}" for name in ("supervisor", "worker_pool", "process", "control_server", "systemd")}


def test_a_supervisor_imports_nothing_that_serves_clients() -> None:
    modules = imported("import wsgateway.cli, wsgateway.commands.run")
    own = of_gateway(modules)
    assert {"run.supervisor", "settings.load"} <= own
    assert not modules & FOREIGN
    assert not {name for name in own if name.split(".")[0] in ("demo", "probe", "units", "policy", "relay", "upstream")}
    assert {name for name in own if name.startswith("serve.")} == {"serve.bind", "serve.scoreboard"}
    assert not own & {"run.service", "run.worker", "run.gateway", "settings.repeats", "settings.example"}
