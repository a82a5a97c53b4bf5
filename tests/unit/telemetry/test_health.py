from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from telemetry import Health, HealthServer, healthy, serve_health, unhealthy


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[], Health]], HealthServer]]:
    servers: list[HealthServer] = []

    def start(check: Callable[[], Health]) -> HealthServer:
        registry = CollectorRegistry()
        Counter("frames", "frames taken", registry=registry).inc(3)
        servers.append(serve_health(0, check, registry))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_a_healthy_process_answers_200_with_its_facts(serve) -> None:
    status, body = get(serve(lambda: healthy(lag=7)), "/health")
    assert status == 200
    assert json.loads(body) == {"ok": True, "reasons": [], "lag": 7}


def test_an_unhealthy_process_answers_503_with_the_reasons(serve) -> None:
    status, body = get(serve(lambda: unhealthy("Kafka does not answer", "lag above 60 s")), "/health")
    assert status == 503
    assert json.loads(body)["reasons"] == ["Kafka does not answer", "lag above 60 s"]


def test_a_check_that_fails_is_an_unhealthy_process(serve) -> None:
    def check() -> Health:
        raise ConnectionError("no database")

    status, body = get(serve(check), "/health")
    assert status == 503
    assert "ConnectionError: no database" in json.loads(body)["reasons"][0]


def test_a_check_without_a_verdict_is_not_taken_for_healthy(serve) -> None:
    status, _ = get(serve(lambda: {"lag": 0}), "/health")
    assert status == 503


def test_metrics_are_in_prometheus_format(serve) -> None:
    status, body = get(serve(healthy), "/metrics")
    assert status == 200
    assert "frames_total 3.0" in body


def test_other_paths_are_not_found_and_the_port_is_free_after_close() -> None:
    server = serve_health(0, healthy, CollectorRegistry())
    assert get(server, "/")[0] == 404
    server.close()
    again = serve_health(server.port, healthy, CollectorRegistry())
    again.close()
