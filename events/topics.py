"""Kafka topics and MQTT topics: names, keys, partitions.

    readings    frames              inbox of detection
    conditions  detection says      inbox of incidents (and requests, ticks)
    incidents   incidents says      inbox of playbooks (and replies, ticks, requests)
    commands    playbooks says      what the dispatcher sends
    mirrors     what edges that are the home of their area decided themselves
    deadletter  what could not be taken
"""

from __future__ import annotations

from zlib import crc32

READINGS, CONDITIONS, INCIDENTS, COMMANDS = "readings", "conditions", "incidents", "commands"
MIRRORS, DEADLETTER, LEDGER = "mirrors", "deadletter", "ledger"
SNAPSHOTS = {READINGS: "snapshots-detection", CONDITIONS: "snapshots-incidents", INCIDENTS: "snapshots-playbooks"}
"""By inbox: where the stage that reads it keeps its snapshots (compacted)."""
PARTITIONS = 4
PLANT_WIDE = "*plant"
"""The area of what concerns several areas: alarms on alarms, floods of positions. No area of a plant is called so."""
RELAY = "relay:"
"""How the source of what is relayed to it begins: copies of the topic `incidents`; the log takes the originals."""
PLAYBOOKS = "playbooks:"
"""How the source of conditions begins that playbooks themselves say (a loop): copies of the topic `commands`."""


def partition_of(area: str, partitions: int = PARTITIONS) -> int:
    """The partition of an area, the same in every topic. Always given explicitly: clients' partitioners differ."""
    return crc32(area.encode()) % partitions


MQTT_ROOT = "andon/v1"


def up_topic(edge: str, kind: str) -> str:
    """Edge to plant. `kind`: "frame" (a packed frame) or "events" (`Reported`)."""
    return f"{MQTT_ROOT}/{edge}/up/{kind}"


def confirm_topic(edge: str) -> str:
    """Plant to edge: `{"source": ..., "up_to": n}`; the edge may delete what it confirms."""
    return f"{MQTT_ROOT}/{edge}/down/confirm"


def command_topic(edge: str) -> str:
    """Plant to edge: one `CommandIssued` as an `Event` in msgpack."""
    return f"{MQTT_ROOT}/{edge}/down/command"


def request_topic(edge: str) -> str:
    """Plant to edge: one `Request` in msgpack, to an area whose home is the edge."""
    return f"{MQTT_ROOT}/{edge}/down/request"


def lock_topic(edge: str, device: str) -> str:
    """Plant to edge, retained: the newest `LockOutIssued` of the device as an `Event` in msgpack."""
    return f"{MQTT_ROOT}/{edge}/down/lock/{device}"
