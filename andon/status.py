"""What runs and how it is: asked of the services and processes themselves, at this moment."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from andon import records
from andon.processes import PROCESSES
from andon.stack.kafka import metadata_lists_a_node
from config.instance import Instance

_PATIENCE_S = 2.0
_STARTING_S = 20.0
_RECOVERED_S = 5.0
"""One that died counts as well again after living so long: what dies soon after each start looks well in between."""


def gather(instance: Instance) -> dict[str, Any]:
    """The state of the instance, ready for JSON.

    Returns:
        {"hands_off": [{"area", "stopped_at", "stopped_by", "reason"}] where nothing acts (None: the log is away),
        "ready": every service answers and every process is well, "up": whether a supervisor runs,
        "services": {name: {"ok", "address", "external", "pid", "restarts"}},
        "processes": {name: {"state", "pid", "restarts", "last_exit", "health": {"ok", "reasons", ...}}},
        "stages": {name: what its health says of lags and counts}}
    """
    known = records.read_all(instance.home)
    pid = records.supervisor_pid(instance.home)
    names = [name for name in PROCESSES if name in known]
    probes = service_probes(instance)
    with ThreadPoolExecutor(max_workers=16) as pool:
        answers = {name: pool.submit(probe) for name, (_, probe) in probes.items()}
        healths = {name: pool.submit(ask_health, instance, name) for name in names}
        services = {
            name: {
                "ok": answers[name].result(),
                "address": address,
                "external": name in instance.external,
                "pid": known[name].pid if name in known else None,
                "restarts": known[name].restarts if name in known else 0,
            }
            for name, (address, _) in probes.items()
        }
        processes = {name: judge(known[name], healths[name].result()) for name in names}
    well = all(service["ok"] for service in services.values())
    well = well and bool(processes) and all(p["health"]["ok"] for p in processes.values())
    stages = {name: _facts(process["health"]) for name, process in processes.items()}
    return {
        "hands_off": hands_off(instance) if services["timescale"]["ok"] else None,
        "ready": pid is not None and well,
        "up": pid is not None,
        "pid": pid,
        "home": str(instance.home),
        "board": f"http://127.0.0.1:{instance.board_port}" if "board" in processes else None,
        "services": services,
        "processes": processes,
        "stages": {name: facts for name, facts in stages.items() if facts},
    }


def hands_off(instance: Instance) -> list[dict[str, Any]] | None:
    """Areas in which no playbook acts and no device is moved, as the log has it; None when it cannot be read."""
    from analytics import live, runs  # slow to import, and only this needs them

    engine = live.reader(instance.database_url, timeout_s=_PATIENCE_S)
    try:
        with engine.connect() as db:
            found: list[dict[str, Any]] = [msgspec.to_builtins(one) for one in runs.hands_off(db)]
            return found
    except SQLAlchemyError:  # away, or not migrated yet: both are said elsewhere
        return None
    finally:
        engine.dispose()


def ask_health(instance: Instance, process: str) -> dict[str, Any]:
    """What the process's /health says; {"ok": False, "reasons": [...]} when it does not answer."""
    url = f"http://127.0.0.1:{instance.health_port(process)}/health"
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_S) as reply:
            return _parsed(reply.read())
    except urllib.error.HTTPError as e:
        return _parsed(e.read())
    except (OSError, ValueError, http.client.HTTPException) as e:
        reason = getattr(e, "reason", e)
        return {"ok": False, "reasons": [f"/health on port {instance.health_port(process)} does not answer: {reason}"]}


def service_probes(instance: Instance) -> dict[str, tuple[str, Callable[[], bool]]]:
    """By service: its address for people, and a question that only a working one answers."""
    database = make_url(instance.database_url)
    return {
        "kafka": (instance.kafka, lambda: _kafka_answers(instance)),
        "timescale": (f"{database.host}:{database.port or 5432}", lambda: _database_answers(instance)),
        "mosquitto": (f"{instance.mqtt.host}:{instance.mqtt.port}", lambda: _mqtt_answers(instance)),
    }


def _kafka_answers(instance: Instance) -> bool:
    host, _, port = instance.kafka.partition(",")[0].rpartition(":")
    return metadata_lists_a_node(host, int(port))


def _database_answers(instance: Instance) -> bool:
    url = make_url(instance.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


def _mqtt_answers(instance: Instance) -> bool:
    """Logs in as the monitor: also finds a broker with other passwords."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set(*instance.mqtt.credentials("monitor"))
    client.connect_timeout = _PATIENCE_S
    answered, accepted = threading.Event(), threading.Event()

    def on_connect(_c: object, _u: object, _f: object, reason: Any, _p: object) -> None:
        if not reason.is_failure:
            accepted.set()
        answered.set()

    client.on_connect = on_connect
    try:
        client.connect(instance.mqtt.host, instance.mqtt.port)
    except OSError:
        return False
    client.loop_start()
    answered.wait(_PATIENCE_S)
    client.disconnect()
    client.loop_stop()
    return accepted.is_set()


def judge(record: records.Record, health: dict[str, Any]) -> dict[str, Any]:
    """A process's entry in the status, from the supervisor's record and from what its /health says."""
    age_s = (datetime.now(UTC) - record.started_at).total_seconds()
    if not record.alive:
        state = "waiting to restart"
        health = {"ok": False, "reasons": [f"it ended with {record.last_exit}"]}
    elif health["ok"] and record.restarts and age_s < _RECOVERED_S:
        state = "recovering"
        ended = f"it ended with {record.last_exit} and runs again since {age_s:.0f} s"
        health = {**health, "ok": False, "reasons": [ended]}
    elif health["ok"]:
        state = "running"
    else:
        state = "starting" if age_s < _STARTING_S else "unwell"
    return {
        "state": state,
        "pid": record.pid,
        "started_at": record.started_at.isoformat(),
        "restarts": record.restarts,
        "last_exit": record.last_exit,
        "health": health,
    }


def _facts(health: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in health.items() if name not in ("ok", "reasons")}


def _parsed(body: bytes) -> dict[str, Any]:
    health = json.loads(body)
    if not isinstance(health, dict) or "ok" not in health:
        return {"ok": False, "reasons": ["something else answers on its port"]}
    return health
