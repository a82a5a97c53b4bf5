"""What is in force: the plant's files, in place of an unusable one its last good text, at every moment."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

import detection.rules
from andon import instance as instances
from andon.publish import compile_folder, with_last_good
from config.instance import Instance
from devices.plant import load_plant
from edge.main import _fields as fields_of
from events import topics
from incidents.definition import Definition, unpack


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    shutil.copytree(instances.default_plant(), tmp_path / "plant-files")
    return instances.create(tmp_path / "home", plant=tmp_path / "plant-files")


def publish(instance: Instance) -> list[str]:
    """As `andon up` does it before processes start; the unusable files."""
    return [error.file for error in with_last_good(instance.plant, instance.home)[1]]


def spoil(instance: Instance, file: str) -> None:
    text = (instance.plant / file).read_text("utf-8")
    (instance.plant / file).write_text(text.replace("device:", "devise:", 1), "utf-8")


def test_before_anything_was_published_the_files_themselves_are_in_force(instance: Instance) -> None:
    assert instance.plant_in_force == instance.plant


def test_a_points_file_broken_between_two_starts_keeps_its_device_at_the_edge(instance: Instance) -> None:
    assert publish(instance) == []
    before, _ = load_plant(instance.plant_in_force)
    spoil(instance, "points/press.yaml")
    assert "points/press.yaml" in publish(instance)
    assert "press" not in load_plant(instance.plant)[0].devices
    plant, errors = load_plant(instance.plant_in_force)
    assert errors == []
    assert plant.devices["press"] == before.devices["press"]
    assert "press" in fields_of(plant, "edge-1", instance)


def test_the_last_good_text_stays_over_any_number_of_starts_until_the_file_is_mended(instance: Instance) -> None:
    publish(instance)
    whole = (instance.plant / "points/press.yaml").read_text("utf-8")
    spoil(instance, "points/press.yaml")
    for _ in range(3):
        publish(instance)
        assert "press" in load_plant(instance.plant_in_force)[0].devices
    (instance.plant / "points/press.yaml").write_text(whole.replace("every: 100ms", "every: 200ms"), "utf-8")
    assert publish(instance) == []
    modbus = load_plant(instance.plant_in_force)[0].devices["press"].modbus
    assert modbus is not None and modbus.every == "200ms"


def in_force(instance: Instance) -> Definition:
    """What the incidents stage is given."""
    compiled = compile_folder(instance.plant_in_force)
    assert compiled.errors == []
    return unpack(compiled.definitions[topics.CONDITIONS].pack())


def test_every_kind_of_file_is_in_force(instance: Instance) -> None:
    publish(instance)
    definition = in_force(instance)
    assert definition.alarms["press_pressure"].klass == "protection"
    assert definition.alarms["press_pressure"].owner == "shift_lead"
    assert "shift_lead" in definition.positions
    assert definition.escalations


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("classes/classes.yaml", "class: protection", "clas: protection"),
        ("people/people.yaml", "position: shift_lead", "position: [shift_lead]"),
        ("rules/press.yaml", "sensor does not move", "sensor: does not move"),
    ],
)
def test_a_file_broken_between_two_starts_is_the_only_one_named_and_its_last_good_text_stays(
    instance: Instance, file: str, right: str, wrong: str
) -> None:
    publish(instance)
    before = in_force(instance)
    path = instance.plant / file
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), "utf-8")
    assert set(publish(instance)) == {file}
    assert in_force(instance) == before
    path.write_text(text.replace("owner: shift_lead", "owner: maintenance"), "utf-8")
    assert publish(instance) == []


def test_rules_changed_beside_a_broken_file_of_classes_are_in_force(instance: Instance) -> None:
    publish(instance)
    for file, old, new in (
        ("classes/classes.yaml", "classes:", "klasses:"), ("rules/press.yaml", "limit: 200 bar", "limit: 190 bar")
    ):  # fmt: skip
        path = instance.plant / file
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    assert publish(instance) == ["classes/classes.yaml"]
    rules = detection.rules.unpack(compile_folder(instance.plant_in_force).definitions[topics.READINGS].pack())
    assert {r.rule: r.limit for r in rules.rules}["press_pressure.H"] == 190.0
    assert in_force(instance).alarms["press_pressure"].klass == "protection"


def test_a_file_that_was_deleted_is_not_in_force_any_more(instance: Instance) -> None:
    publish(instance)
    (instance.plant / "points/diverter.yaml").unlink()
    publish(instance)
    assert "diverter" not in load_plant(instance.plant_in_force)[0].devices


def test_who_reads_while_it_is_published_anew_reads_whole_files_of_one_time(instance: Instance) -> None:
    publish(instance)
    reading = instance.plant_in_force
    before, _ = load_plant(reading)
    (instance.plant / "points/diverter.yaml").unlink()
    publish(instance)
    assert load_plant(reading) == (before, [])
    assert load_plant(instance.plant_in_force) != (before, [])


def test_there_is_no_moment_without_a_plant_in_force(instance: Instance) -> None:
    publish(instance)
    link, missing, done = instance.home / "plant", [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            if not (link / "plant.yaml").is_file():
                missing.append(link)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(3):
            publish(instance)
    finally:
        done.set()
        watcher.join()
    assert missing == []


def test_a_home_of_an_older_version_with_folders_is_taken_over(instance: Instance) -> None:
    for name in ("good", "plant"):
        shutil.copytree(instance.plant, instance.home / name)
    spoil(instance, "points/press.yaml")
    publish(instance)
    publish(instance)
    assert "press" in load_plant(instance.plant_in_force)[0].devices


def test_a_copy_of_the_home_reads_its_own_plant(instance: Instance, tmp_path: Path) -> None:
    publish(instance)
    shutil.copytree(instance.home, tmp_path / "copy", symlinks=True)
    assert instances.load(tmp_path / "copy").plant_in_force.is_relative_to((tmp_path / "copy").resolve())


def test_a_spoilt_blueprint_keeps_its_last_good_text_and_so_do_the_playbooks_that_use_it(instance: Instance) -> None:
    blueprint, use = instance.plant / "blueprints" / "tell.yaml", instance.plant / "playbooks" / "tell.yaml"
    blueprint.parent.mkdir()
    text = "blueprint: tell\nparameters: {who: {text: null}}\nsteps:\n  - {notify: \"${who}\", text: \"{area}\"}\n"
    blueprint.write_text(text, "utf-8")
    use.write_text("id: tell\narea: shop/press\ntrigger: {request: {}}\nuse: tell\nwith: {who: anna}\n", "utf-8")
    assert publish(instance) == []
    version = compile_folder(instance.plant_in_force).definitions[topics.INCIDENTS].version
    blueprint.write_text(text.replace("{area}", "{aera}"), "utf-8")
    assert publish(instance) == ["blueprints/tell.yaml"]
    compiled = compile_folder(instance.plant_in_force)
    assert compiled.errors == []
    assert compiled.definitions[topics.INCIDENTS].version == version
