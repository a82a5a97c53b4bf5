from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from andon import doctor
from andon import instance as instances
from andon.doctor import Finding
from andon.up import choose_devices
from config.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return instances.create(tmp_path)


def examined(instance: Instance, monkeypatch: pytest.MonkeyPatch, *, ok: bool, lost: list[str]) -> list[Finding]:
    """What the doctor says of a plant that is up, whose edge says this of itself."""
    reasons = [*([] if ok else ["mqtt: refused"]), *(f"device {device} is lost" for device in lost)]
    edge = {"restarts": 0, "health": {"ok": ok, "reasons": reasons, "devices_lost": lost}}
    away = {"ok": False, "external": False, "address": "", "restarts": 0}
    status: dict[str, Any] = {"services": {"kafka": away, "timescale": away}, "processes": {"edge": edge}}
    monkeypatch.setattr(doctor.records, "supervisor_pid", lambda home: 1)
    monkeypatch.setattr(doctor, "gather", lambda instance: status)
    return [finding for finding in doctor.examine(instance) if finding.area in ("devices", "processes")]


def test_a_lost_device_is_found_though_its_edge_is_well(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = examined(instance, monkeypatch, ok=True, lost=["press"])
    assert (found.area, found.wrong.partition(" ")[0]) == ("devices", "press")
    assert "host, port and unit in its points file" in found.mend


def test_a_lost_simulated_device_sends_nobody_to_the_machine(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_devices(instance, simulated=True)
    (found,) = examined(instance, monkeypatch, ok=True, lost=["press"])
    assert str(instance.log_file("simulator")) in found.mend


def test_a_lost_device_of_an_edge_that_is_unwell_is_said_once(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = examined(instance, monkeypatch, ok=False, lost=["press", "cooling"])
    assert [f.wrong.partition(" does")[0] for f in found] == ["edge: mqtt: refused", "press", "cooling"]


def test_nothing_is_said_of_devices_that_answer(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    assert examined(instance, monkeypatch, ok=True, lost=[]) == []


def test_hands_off_is_said_first(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    off = {"area": "shop/press", "stopped_at": "2026-03-02T06:00:00.5Z", "stopped_by": "anna", "reason": "smoke"}
    away = {"ok": False, "external": False, "address": "", "restarts": 0}
    status = {"hands_off": [off], "services": {"kafka": away, "timescale": away}, "processes": {}}
    monkeypatch.setattr(doctor.records, "supervisor_pid", lambda home: 1)
    monkeypatch.setattr(doctor, "gather", lambda instance: status)
    first = doctor.examine(instance)[0]
    assert (first.area, first.wrong) == ("hands off", "shop/press: since 2026-03-02T06:00:00 by anna: smoke")
    assert "andon hands-on shop/press" in first.mend


def test_secrets_that_others_may_read_are_found(instance: Instance) -> None:
    file = instance.home / "secrets.yaml"
    file.write_text("cmms: x")
    file.chmod(0o644)
    assert any(f.area == "secrets" and f.mend == f"chmod 600 {file}" for f in doctor.examine(instance))
    file.chmod(0o600)
    assert not any(f.area == "secrets" for f in doctor.examine(instance))
