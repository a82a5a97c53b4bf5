"""What the HTTP intake answers to a body that it does not take. What it takes: tests/integration/test_bridge.py."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from unittest.mock import create_autospec

import pytest

from benchmarks.running import free_port_base
from ingest.http import PATH, Intake
from ingest.intake import LARGEST
from ingest.pump import Pump
from tests.unit.ingest.shop import ROSTER


@pytest.fixture
def url() -> Iterator[str]:
    port = free_port_base()
    with closing(Intake(port, ROSTER, create_autospec(Pump, instance=True))):
        yield f"http://127.0.0.1:{port}{PATH}"


def refused(url: str, body: bytes) -> tuple[int, list[dict[str, str]]]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=10)
    return caught.value.code, json.loads(caught.value.read())["errors"]


def test_a_client_that_sends_too_much_hears_why(url: str) -> None:
    """It sends all before it listens, and what it hears must not be a connection that was reset."""
    status, errors = refused(url, b" " * (10 * LARGEST))
    assert (status, errors[0]["field"]) == (413, "payload")
    assert errors[0]["reason"] == f"{10 * LARGEST} bytes: at most {LARGEST} in one request"


def test_a_body_that_is_no_json_is_refused_with_its_place(url: str) -> None:
    status, errors = refused(url, b'{"point": ')
    assert status == 400 and errors[0]["reason"].startswith("malformed JSON, line 1")
