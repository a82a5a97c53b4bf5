from __future__ import annotations

from pathlib import Path

import pytest

from andon.instance import NoInstanceError, create, default_plant, load, runtime_folder, service_passwords
from andon.settings import Environment, SettingsError
from config.instance import HEALTH_OFFSETS, TooManyDevicesError, UnknownMqttUserError, UnknownProcessError

PLAIN = Environment()


def test_a_second_up_keeps_ports_plant_and_passwords(tmp_path: Path) -> None:
    first = create(tmp_path, 23000, default_plant(), edges=["edge-1"], environment=PLAIN)
    again = create(tmp_path, environment=PLAIN)
    assert again == first
    assert load(tmp_path, environment=PLAIN) == first
    assert again.mqtt.credentials("edge-1") == first.mqtt.credentials("edge-1")


def test_a_new_edge_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    before = create(tmp_path, edges=["edge-1"], environment=PLAIN)
    after = create(tmp_path, edges=["edge-1", "edge-2"], environment=PLAIN)
    assert after.mqtt.credentials("edge-1") == before.mqtt.credentials("edge-1")
    assert after.mqtt.credentials("edge-2") != after.mqtt.credentials("edge-1")
    with pytest.raises(UnknownMqttUserError, match="edge-2"):
        before.mqtt.credentials("edge-2")


def test_ports_follow_from_the_base_and_none_is_given_twice(tmp_path: Path) -> None:
    instance = create(tmp_path, 23000, environment=PLAIN)
    assert instance.kafka == "127.0.0.1:23000"
    assert (instance.postgres_port, instance.mqtt_port, instance.board_port) == (23002, 23003, 23004)
    assert f":{instance.postgres_port}/" in instance.database_url
    ports = [23000, 23001, 23002, 23003, 23004, instance.simulator_port, instance.intake_port]
    ports += [instance.health_port(name) for name in HEALTH_OFFSETS]
    ports += [instance.device_port(index) for index in range(30)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < 23060


def test_what_has_no_port_is_refused(tmp_path: Path) -> None:
    instance = create(tmp_path, environment=PLAIN)
    with pytest.raises(UnknownProcessError, match="detection"):
        instance.health_port("detektion")
    with pytest.raises(TooManyDevicesError):
        instance.device_port(30)


def test_passwords_are_in_a_closed_file_and_in_no_repr(tmp_path: Path) -> None:
    instance = create(tmp_path, environment=PLAIN)
    secret, mqtt = service_passwords(tmp_path)["database"], instance.mqtt.credentials("bridge")[1]
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert secret in instance.database_url
    assert secret not in repr(instance)
    assert mqtt not in repr(instance)
    assert secret not in (tmp_path / "instance.json").read_text()


def test_two_instances_never_share_a_password(tmp_path: Path) -> None:
    one, other = create(tmp_path / "a", environment=PLAIN), create(tmp_path / "b", environment=PLAIN)
    assert one.mqtt.credentials("bridge") != other.mqtt.credentials("bridge")
    assert service_passwords(one.home) != service_passwords(other.home)


def test_the_environment_places_services_elsewhere_and_is_remembered_for_other_shells(tmp_path: Path) -> None:
    given = Environment(kafka="k:9092", mqtt_url="mqtt://u:p@m:1883", runtime=tmp_path / "programs")
    made = create(tmp_path, environment=given)
    assert made.kafka == "k:9092"
    assert made.external == {"kafka", "mosquitto"}
    assert load(tmp_path, environment=PLAIN) == made
    assert runtime_folder(tmp_path, PLAIN) == tmp_path / "programs"
    assert load(tmp_path, environment=Environment(kafka="other:9092")).kafka == "other:9092"


def test_an_up_without_them_forgets_them_again(tmp_path: Path) -> None:
    create(tmp_path, environment=Environment(kafka="k:9092"))
    assert create(tmp_path, environment=PLAIN).external == frozenset()
    assert load(tmp_path, environment=PLAIN).kafka == "127.0.0.1:19090"


@pytest.mark.parametrize("base", [80, 65500])
def test_an_impossible_port_base_is_refused(tmp_path: Path, base: int) -> None:
    with pytest.raises(SettingsError, match=str(base)):
        create(tmp_path, base, environment=PLAIN)


def test_a_missing_plant_folder_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--plant"):
        create(tmp_path / "home", plant=tmp_path / "nowhere", environment=PLAIN)
    assert not (tmp_path / "home").exists()


def test_loading_where_none_was_made_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoInstanceError, match="andon up --home"):
        load(tmp_path, environment=PLAIN)
