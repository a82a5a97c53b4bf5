"""Create and load an instance: its ports and passwords are made once, kept in its home, and the same ever after."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

import examples
from andon.settings import Environment, SettingsError, read_environment
from config.instance import DEVICES_END, PORT_BASE, Instance, MqttAddress

MQTT_USERS = ("bridge", "gateway", "monitor", "errands")
"""Besides these, every edge logs in with its own id."""
_HIGHEST_PORT = 65535
_REMEMBERED = ("kafka", "database_url", "mqtt_url", "runtime")


class NoInstanceError(SettingsError):
    """The folder holds no instance."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"there is no Andon instance in {home}: `andon up --home {home}` makes one")
        self.home = home


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """instance.json."""

    port_base: int
    plant: str


class _Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """credentials.json, readable by the owner alone.

    Attributes:
        database: password of the database user andon.
        mqtt: user → password.
        environment: what the environment of the last `up` said of addresses and places, so that `andon status` in
            another shell finds them too.
    """

    database: str
    mqtt: dict[str, str]
    environment: dict[str, str] = {}


def default_plant() -> Path:
    """The small plant that comes with the product."""
    return Path(examples.__file__).resolve().parent / "press-shop"


def create(
    home: Path,
    port_base: int | None = None,
    plant: Path | None = None,
    *,
    edges: Sequence[str] = (),
    environment: Environment | None = None,
) -> Instance:
    """Make the instance in `home`, or take up the one that is there: its ports, plant and passwords stay.

    Args:
        port_base: the first of its 60 ports; None keeps what it has, or takes 19090.
        plant: folder of the plant's configuration; None keeps what it has, or takes the example.
        edges: ids of edge boxes, each of which gets an MQTT password.

    Raises:
        SettingsError: the ports or the plant are not possible.
    """
    home = home.expanduser().absolute()
    environment = environment or read_environment()
    old = _read_record(home)
    base = port_base or (old.port_base if old else PORT_BASE)
    if not 1024 <= base <= _HIGHEST_PORT - DEVICES_END:
        raise SettingsError(f"--port-base {base} is not between 1024 and {_HIGHEST_PORT - DEVICES_END}")
    folder = plant or (Path(old.plant) if old else default_plant())
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise SettingsError(f"the plant folder {folder} does not exist: give one with --plant")

    home.mkdir(parents=True, exist_ok=True)
    kept = _read_credentials(home) or _Credentials(database=_password(), mqtt={})
    mqtt = {user: kept.mqtt.get(user) or _password() for user in (*MQTT_USERS, *kept.mqtt, *edges)}
    said = environment.model_dump(mode="json", exclude_none=True, include=set(_REMEMBERED))
    credentials = _Credentials(database=kept.database, mqtt=mqtt, environment=said)
    _write(home / "credentials.json", msgspec.json.encode(credentials), mode=0o600)
    record = _Record(port_base=base, plant=str(folder))
    _write(home / "instance.json", msgspec.json.encode(record), mode=0o644)
    return _assemble(home, record, credentials, environment)


def load(home: Path, *, environment: Environment | None = None) -> Instance:
    """The instance that `create` made there.

    Raises:
        NoInstanceError: none was made.
    """
    home = home.expanduser().absolute()
    record, credentials = _read_record(home), _read_credentials(home)
    if record is None or credentials is None:
        raise NoInstanceError(home)
    return _assemble(home, record, credentials, _as_remembered(credentials, environment or read_environment()))


def service_passwords(home: Path) -> dict[str, str]:
    """The passwords that the services are set up with, which no other process needs.

    Raises:
        NoInstanceError: no instance was made there.
    """
    credentials = _read_credentials(home)
    if credentials is None:
        raise NoInstanceError(home)
    return {"database": credentials.database}


def runtime_folder(home: Path, environment: Environment | None = None) -> Path:
    """Where the services' programs are: $ANDON_RUNTIME (now, or at the last `up`), else in the instance's home.

    Raises:
        NoInstanceError: no instance was made there.
    """
    credentials = _read_credentials(home)
    if credentials is None:
        raise NoInstanceError(home)
    environment = _as_remembered(credentials, environment or read_environment())
    return (environment.runtime or home / "runtime").expanduser().absolute()


def default_home(environment: Environment | None = None) -> Path:
    """$ANDON_HOME, else .andon in the current folder.

    For root in a folder that others may not enter (/root): /var/lib/andon, as the services run unprivileged.
    """
    environment = environment or read_environment()
    if environment.home is not None:
        return environment.home.expanduser().absolute()
    here = Path.cwd()
    closed = any(not folder.stat().st_mode & 0o001 for folder in (here, *here.parents))
    return Path("/var/lib/andon") if os.geteuid() == 0 and closed else here / ".andon"


def _assemble(home: Path, record: _Record, credentials: _Credentials, environment: Environment) -> Instance:
    base = record.port_base
    own_database = f"postgresql+psycopg://andon:{credentials.database}@127.0.0.1:{base + 2}/andon"
    own_mqtt = MqttAddress(host="127.0.0.1", port=base + 3, passwords=dict(credentials.mqtt))
    return Instance(
        home=home,
        plant=Path(record.plant),
        port_base=base,
        kafka=environment.kafka or f"127.0.0.1:{base}",
        database_url=environment.database_url or own_database,
        mqtt=environment.mqtt_address() or own_mqtt,
        external=environment.external(),
    )


def _as_remembered(credentials: _Credentials, now: Environment) -> Environment:
    """The environment now, and where it says nothing, that of the last `up`."""
    return Environment.model_validate({**credentials.environment, **now.model_dump(exclude_none=True)})


def _read_record(home: Path) -> _Record | None:
    file = home / "instance.json"
    return msgspec.json.decode(file.read_bytes(), type=_Record) if file.exists() else None


def _read_credentials(home: Path) -> _Credentials | None:
    file = home / "credentials.json"
    return msgspec.json.decode(file.read_bytes(), type=_Credentials) if file.exists() else None


def _password() -> str:
    return secrets.token_urlsafe(16)


def _write(file: Path, content: bytes, mode: int) -> None:
    """In one step, so that a cut-off `up` leaves the old passwords or the new ones, never half a file."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as f:
        f.write(content)
    fresh.replace(file)
