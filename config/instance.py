"""Where one Andon instance lives: its folder, its ports, its addresses. A value that every process is given.

Made and read by `andon.instance`; this module looks whether a file is there, and does no other I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

PORT_BASE = 19090
KAFKA, KAFKA_CONTROLLER, POSTGRES, MQTT, BOARD, SIMULATOR, INTAKE, API = range(8)
"""Offsets from the port base."""
HEALTH = 10
DEVICES = 30
DEVICES_END = 60

HEALTH_OFFSETS: Mapping[str, int] = MappingProxyType(
    {
        "simulator": 10,
        "edge": 11,
        "bridge": 12,
        "detection": 13,
        "incidents": 14,
        "playbooks": 15,
        "dispatcher": 16,
        "logwriter": 17,
        "board": 18,
        "intake": 19,
        "relay": 20,
        "notifier": 21,
        "api": 22,
        "errands": 23,
    }
)


class InstanceError(Exception):
    """Base: the instance cannot give what was asked; the caller's configuration must change."""


class UnknownProcessError(InstanceError):
    """No port is set aside for a process of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no health port is set aside for process {name!r}; known: {', '.join(HEALTH_OFFSETS)}")
        self.name = name


class UnknownMqttUserError(InstanceError):
    """The MQTT broker was not told of this user."""

    def __init__(self, user: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no MQTT user {user!r}; known: {', '.join(known)}")
        self.user, self.known = user, known


class TooManyDevicesError(InstanceError):
    """The range of simulated devices' ports is used up."""

    def __init__(self, index: int) -> None:
        super().__init__(f"device {index} has no port: only {DEVICES_END - DEVICES} simulated devices fit")
        self.index = index


@dataclass(frozen=True, kw_only=True)
class MqttAddress:
    """The MQTT broker and who may log in there.

    Attributes:
        passwords: user → password. Never shown in a repr.
        shared: the one (user, password) of an external broker, used for everybody.
    """

    host: str
    port: int
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    shared: tuple[str, str] | None = field(default=None, repr=False)

    def credentials(self, user: str) -> tuple[str, str]:
        """(user name, password) to log in with as `user`: bridge, gateway, monitor, errands or an edge's id.

        Raises:
            UnknownMqttUserError: no such user.
        """
        if self.shared is not None:
            return self.shared
        if user not in self.passwords:
            raise UnknownMqttUserError(user, tuple(self.passwords))
        return user, self.passwords[user]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One running plant on one host.

    Attributes:
        home: the folder of its data, logs and process records; absolute.
        plant: the folder of its configuration (areas, points, rules, playbooks) as people write it; absolute.
        kafka: "host:port" for bootstrap.
        database_url: SQLAlchemy URL with password, `postgresql+psycopg://…`. Never shown in a repr.
        external: which of "kafka", "timescale", "mosquitto" somebody else runs (ANDON_KAFKA and so on).
    """

    home: Path
    plant: Path
    kafka: str
    database_url: str = field(repr=False)
    mqtt: MqttAddress
    port_base: int = PORT_BASE
    external: frozenset[str] = frozenset()

    @property
    def kafka_port(self) -> int:
        return self.port_base + KAFKA

    @property
    def postgres_port(self) -> int:
        return self.port_base + POSTGRES

    @property
    def mqtt_port(self) -> int:
        return self.port_base + MQTT

    @property
    def board_port(self) -> int:
        return self.port_base + BOARD

    @property
    def simulator_port(self) -> int:
        """The simulator's control port (HTTP)."""
        return self.port_base + SIMULATOR

    @property
    def intake_port(self) -> int:
        """HTTP intake of readings."""
        return self.port_base + INTAKE

    @property
    def api_port(self) -> int:
        """The HTTP API."""
        return self.port_base + API

    @property
    def plant_in_force(self) -> Path:
        """The folder that processes load: the plant's files, in place of an unusable one its last good text.

        `andon.publish` makes it; before that, `plant`. The folder that is returned stays as it is over the next
        publish, so that what is read from it fits together.
        """
        merged = (self.home / "plant").resolve()
        return merged if (merged / "plant.yaml").exists() else self.plant

    @property
    def simulated(self) -> bool:
        """Whether this plant's devices are simulated: then no process may reach for a real one. `andon up` decides."""
        return self.simulated_mark.exists()

    @property
    def simulated_mark(self) -> Path:
        """The file that says so while it exists."""
        return self.home / "simulated"

    @property
    def simulator_file(self) -> Path:
        """Where the simulator says at which address each device listens: {"press": ["127.0.0.1", 19120], …}."""
        return self.home / "simulator.json"

    def health_port(self, process: str) -> int:
        """Where `process` serves /health and /metrics.

        Raises:
            UnknownProcessError: no port is set aside for it.
        """
        if process not in HEALTH_OFFSETS:
            raise UnknownProcessError(process)
        return self.port_base + HEALTH_OFFSETS[process]

    def device_port(self, index: int) -> int:
        """The port of the simulated device number `index` (0 to 29).

        Raises:
            TooManyDevicesError: index out of that range.
        """
        if not 0 <= index < DEVICES_END - DEVICES:
            raise TooManyDevicesError(index)
        return self.port_base + DEVICES + index

    def data(self, process: str) -> Path:
        """The folder that `process` may keep files in (journals, ids); the process creates it."""
        return self.home / "data" / process

    def log_file(self, process: str) -> Path:
        return self.home / "logs" / f"{process}.log"
