"""What the environment may say: addresses, secrets and places. A misspelt variable is an error, not silence."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from config.instance import MqttAddress

_SECRET = "ANDON_SECRET_"
"""What begins so is a secret of another system (errands/secrets.py), of any name."""
_READ_ELSEWHERE = {"ANDON_JAVA": "andon/stack/java.py", "ANDON_DEBIAN_KEYRING": "andon/stack/debian.py"}


class SettingsError(Exception):
    """The environment or the command line asks for something impossible; the operator must change it."""


class UnknownVariableError(SettingsError):
    """An ANDON_ variable that nobody reads: most likely misspelt."""

    def __init__(self, name: str, closest: str | None) -> None:
        hint = f" Did you mean {closest}?" if closest else f" Known: {', '.join(sorted(known_variables()))}"
        super().__init__(f"the environment variable {name} is not known.{hint}")
        self.name, self.closest = name, closest


class Environment(BaseModel):
    """The ANDON_ variables.

    Attributes:
        kafka: "host:port" of a Kafka that somebody else runs.
        database_url: a PostgreSQL with TimescaleDB that somebody else runs; has the password.
        mqtt_url: mqtt://user:password@host:port of a broker that somebody else runs.
        runtime: folder of the fetched programs, so that several instances share one.
        home: the instance's folder, for commands without --home.
        log_level: of our processes' logs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka: str | None = Field(default=None, pattern=r"^[^\s:/]+:\d+(,[^\s:/]+:\d+)*$")
    database_url: str | None = Field(default=None, repr=False)
    mqtt_url: str | None = Field(default=None, repr=False, pattern=r"^mqtt://")
    runtime: Path | None = None
    home: Path | None = None
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str | None) -> str | None:
        """SQLAlchemy would take psycopg 2 for a bare postgresql://."""
        if url is None or url.startswith("postgresql+psycopg://"):
            return url
        scheme, separator, rest = url.partition("://")
        if scheme not in ("postgres", "postgresql") or not separator:
            raise ValueError("must begin with postgresql://")
        return f"postgresql+psycopg://{rest}"

    def external(self) -> frozenset[str]:
        """The services that we need not start."""
        given = {"kafka": self.kafka, "timescale": self.database_url, "mosquitto": self.mqtt_url}
        return frozenset(name for name, value in given.items() if value is not None)

    def mqtt_address(self) -> MqttAddress | None:
        """Where the external MQTT broker is.

        Raises:
            SettingsError: the address lacks user, password or host.
        """
        if self.mqtt_url is None:
            return None
        url = urlsplit(self.mqtt_url)
        if not (url.hostname and url.username and url.password):
            raise SettingsError("ANDON_MQTT_URL must be mqtt://user:password@host:port")
        login = (unquote(url.username), unquote(url.password))
        return MqttAddress(host=url.hostname, port=url.port or 1883, shared=login)


def known_variables() -> frozenset[str]:
    """Every ANDON_ variable that something reads."""
    return frozenset({f"ANDON_{name.upper()}" for name in Environment.model_fields} | _READ_ELSEWHERE.keys())


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Check the names, then the values, of the ANDON_ variables.

    Args:
        variables: for tests; the process's environment by default.

    Raises:
        UnknownVariableError: a name is not known; it carries the closest known one.
        SettingsError: a value is not possible; the message never repeats the value, which may be a secret.
    """
    source = os.environ if variables is None else variables
    given = {name: value for name, value in source.items() if name.startswith("ANDON_")}
    given = {name: value for name, value in given.items() if not name.startswith(_SECRET)}
    known = known_variables()
    for name in sorted(given):
        if name not in known:
            stems = [other.removeprefix("ANDON_") for other in known]  # the prefix alone makes all of them close
            closest = difflib.get_close_matches(name.removeprefix("ANDON_"), stems, n=1)
            raise UnknownVariableError(name, f"ANDON_{closest[0]}" if closest else None)
    values = {
        name: value
        for name in Environment.model_fields
        if (value := given.get(f"ANDON_{name.upper()}")) not in (None, "")
    }
    try:
        return Environment.model_validate(values)
    except ValidationError as e:
        first = e.errors()[0]
        raise SettingsError(f"ANDON_{str(first['loc'][0]).upper()}: {first['msg']}") from None
