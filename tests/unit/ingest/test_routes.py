"""Which topic brings what."""

from __future__ import annotations

import pytest

from devices.plant import Source
from ingest.routes import FromEdge, Routes, matches

ROUTES = Routes([Source(topic="neuron/+/upload", format="neuron"), Source(topic="plain/#", format="plain")])


@pytest.mark.parametrize(
    ("topic", "route"),
    [
        ("andon/v1/edge-1/up/frame", FromEdge("edge-1", "frame")),
        ("andon/v1/edge-1/up/a/b", FromEdge("edge-1", "a/b")),
        ("andon/v1/edge-1/down/command", None),
        ("neuron/x/upload", "neuron"),
        ("neuron/x/write/req", None),
        ("plain/press", "plain"),
        ("plain", "plain"),
        ("elsewhere", None),
    ],
)
def test_each_topic_has_one_route(topic: str, route: object) -> None:
    assert ROUTES.of(topic) == route


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/+", "a/b", True), ("a/+", "a", False), ("a/+", "a/b/c", False), ("#", "a/b", True), ("a/#", "a", True),
        ("a/b", "a/b", True), ("a/b", "a/c", False), ("+/b", "a/b", True),
    ],
)  # fmt: skip
def test_patterns_follow_the_rules_of_mqtt(pattern: str, topic: str, expected: bool) -> None:
    assert matches(pattern, topic) is expected
