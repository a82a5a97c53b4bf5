from __future__ import annotations

import re
from pathlib import Path

import pytest

from andon.settings import SettingsError, UnknownVariableError, known_variables, read_environment

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_misspelt_variable_is_refused_with_the_closest_known_one() -> None:
    with pytest.raises(UnknownVariableError, match="Did you mean ANDON_DATABASE_URL") as refusal:
        read_environment({"ANDON_DATABASE_ULR": "postgresql://u:p@h/d"})
    assert refusal.value.name == "ANDON_DATABASE_ULR"


def test_a_variable_like_no_other_is_refused_with_the_list() -> None:
    with pytest.raises(UnknownVariableError, match=r"Known: .*ANDON_KAFKA"):
        read_environment({"ANDON_XYZZY": "1"})


def test_variables_of_others_are_none_of_our_business() -> None:
    assert read_environment({"PATH": "/bin", "ANDONX": "1"}).kafka is None


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_environment({"ANDON_KAFKA": ""}).external() == frozenset()


def test_a_bare_postgresql_url_gets_the_driver_we_have() -> None:
    environment = read_environment({"ANDON_DATABASE_URL": "postgres://u:p@h:5432/d"})
    assert environment.database_url == "postgresql+psycopg://u:p@h:5432/d"
    assert environment.external() == {"timescale"}


def test_a_refused_value_is_never_repeated_as_it_may_hold_a_password() -> None:
    with pytest.raises(SettingsError, match="ANDON_DATABASE_URL") as refusal:
        read_environment({"ANDON_DATABASE_URL": "mysql://u:hunter2@h/d"})
    assert "hunter2" not in str(refusal.value)


def test_kafka_must_have_a_port() -> None:
    with pytest.raises(SettingsError, match="ANDON_KAFKA"):
        read_environment({"ANDON_KAFKA": "broker"})


def test_the_mqtt_url_is_taken_apart_with_its_escapes() -> None:
    address = read_environment({"ANDON_MQTT_URL": "mqtt://plant:p%40ss@broker:2883"}).mqtt_address()
    assert address is not None
    assert (address.host, address.port, address.credentials("edge-7")) == ("broker", 2883, ("plant", "p@ss"))


def test_the_mqtt_url_needs_a_password() -> None:
    with pytest.raises(SettingsError, match="user:password"):
        read_environment({"ANDON_MQTT_URL": "mqtt://broker:2883"}).mqtt_address()


def test_every_variable_that_the_code_reads_is_known() -> None:
    read = set()
    for file in (f for f in REPOSITORY.rglob("*.py") if not {".venv", ".andon", "tests"} & set(f.parts)):
        read |= set(re.findall(r"""environ(?:\.get\(|\[)["'](ANDON_\w+)""", file.read_text()))
    assert read
    assert read <= known_variables()


def test_a_secret_of_another_system_may_have_any_name() -> None:
    assert read_environment({"ANDON_SECRET_CMMS": "x"}) == read_environment({})
    with pytest.raises(UnknownVariableError):
        read_environment({"ANDON_SECRETS_CMMS": "x"})
