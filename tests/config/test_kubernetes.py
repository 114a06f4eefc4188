"""config/kubernetes.yaml is what Kubernetes takes, and its parts agree with each other, the gateway and the image."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.run.gateways import supervised
from wsgateway.settings.basics import Address
from wsgateway.settings.load import load
from wsgateway.settings.whole import Settings

from .checkers import CONFIG, complaints

FILE = CONFIG / "kubernetes.yaml"
DOCUMENTS: dict[str, Any] = {each["kind"]: each for each in yaml.safe_load_all(FILE.read_text("utf-8"))}
POD = DOCUMENTS["Deployment"]["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
METRICS = {each["type"]: each for each in DOCUMENTS["HorizontalPodAutoscaler"]["spec"]["metrics"]}
CONFIGURATION = DOCUMENTS["ConfigMap"]["data"]["wsgateway.yaml"]
IMAGE = (CONFIG / "Dockerfile").read_text("utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of the gateway in the pod."""
    file = tmp_path / "wsgateway.yaml"
    file.write_text(CONFIGURATION)
    return load(file)


def test_kubernetes_takes_each_document() -> None:
    assert complaints("kubernetes-validate", "--strict", FILE) == ""


def test_the_documents_speak_of_the_same_pods() -> None:
    labels = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert DOCUMENTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert DOCUMENTS["Service"]["spec"]["selector"] == labels
    assert DOCUMENTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == labels
    assert DOCUMENTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"] == {
        "apiVersion": DOCUMENTS["Deployment"]["apiVersion"],
        "kind": "Deployment",
        "name": DOCUMENTS["Deployment"]["metadata"]["name"],
    }
    [volume] = POD["volumes"]
    assert volume["configMap"]["name"] == DOCUMENTS["ConfigMap"]["metadata"]["name"]


def test_ports_are_those_that_the_gateway_listens_on(settings: Settings) -> None:
    [listener] = settings.listeners
    assert settings.admin is not None
    assert listener.bind == (Address("0.0.0.0", PORTS["websocket"]),)
    assert settings.admin.bind == Address("0.0.0.0", PORTS["admin"])
    [port] = DOCUMENTS["Service"]["spec"]["ports"]
    assert port["targetPort"] in PORTS
    annotations = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(PORTS["admin"])


async def test_the_gateway_of_the_pod_answers_probes_and_has_the_metric(tmp_path: Path) -> None:
    text = re.sub(r"0\.0\.0\.0:[0-9]+", "127.0.0.1:0", CONFIGURATION)
    text = text.replace("backend.default.svc.cluster.local", "127.0.0.1")
    async with supervised(tmp_path / "wsgateway.yaml", text) as gateway:
        for probe in PROBES:
            assert CONTAINER[probe]["httpGet"]["port"] == "admin"
            assert (await gateway.ask(CONTAINER[probe]["httpGet"]["path"]))[0] == 200
        annotations = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        status, body = await gateway.ask(annotations["prometheus.io/path"])
        assert status == 200
        assert f"\n# TYPE {METRICS['Pods']['pods']['metric']['name']} gauge\n" in body.decode()


def test_nodes_and_pods_may_ask_and_nobody_from_outside(settings: Settings) -> None:
    assert settings.admin is not None
    assert all(settings.admin.admits(ip) for ip in ("10.1.2.3", "172.17.0.1", "192.168.49.2"))
    assert all(network.is_private for network in settings.admin.allow)
    assert not settings.admin.admits("203.0.113.7")


def test_a_pod_has_the_time_to_end_in_good_order(settings: Settings) -> None:
    shutdown = settings.shutdown
    assert shutdown.delay_seconds is not None
    goodbye = max(route.timeouts.close_seconds for route in settings.routes)
    assert POD["terminationGracePeriodSeconds"] > shutdown.delay_seconds + shutdown.drain_seconds + 4 * goodbye


def test_a_pod_counts_as_ready_while_it_still_accepts(settings: Settings) -> None:
    probe = CONTAINER["readinessProbe"]
    assert settings.shutdown.delay_seconds is not None
    assert (probe["failureThreshold"] - 1) * probe["periodSeconds"] > settings.shutdown.delay_seconds


def test_there_are_more_pods_before_these_are_full(settings: Settings) -> None:
    room = sum(listener.max_connections for listener in settings.listeners)
    assert int(METRICS["Pods"]["pods"]["target"]["averageValue"]) < room
    # A share of what is requested, which is a core for each worker.
    assert METRICS["Resource"]["resource"]["target"]["averageUtilization"] < 100
    assert CONTAINER["resources"]["requests"]["cpu"] == str(settings.workers)


def test_the_image_runs_as_the_pod_has_it() -> None:
    context = POD["securityContext"]
    assert f"\nUSER {context['runAsUser']}:{context['runAsGroup']}\n" in IMAGE
    assert f"\nEXPOSE {' '.join(str(port) for port in PORTS.values())}\n" in IMAGE
    [mount] = CONTAINER["volumeMounts"]
    [file] = DOCUMENTS["ConfigMap"]["data"]
    assert f'\nCMD ["run", "{mount["mountPath"]}/{file}"]\n' in IMAGE
