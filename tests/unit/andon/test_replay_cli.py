"""What cannot be replayed is refused in one clear line, before anything is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from andon import instance as instances
from andon.cli import app
from config.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """One whose database is away."""
    return instances.create(tmp_path / "home")


def refused(instance: Instance, *options: str) -> str:
    done = CliRunner().invoke(app, ["replay", *options, "--home", str(instance.home)])
    assert done.exit_code == 2, done.output
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--from", "2100-01-01T06:00"], "--from 2100-01-01T06:00 has not come yet"),
        (["--from", "1h", "--to", "2h"], "--to 2h is not after --from 1h"),
        (["--from", "2026-03-01T06:00", "--to", "2026-03-01T05:00"], "is not after"),
        (["--from", "yesterday"], "--from yesterday: neither a time"),
        (["--from", "1h", "--to", "99999999999h"], "--to 99999999999h: neither a time"),
        (["--from", "1h", "--rules", "not-there"], "--rules not-there: no such folder"),
        (["--from", "1h", "--playbooks", "not-there"], "--playbooks not-there: no such folder"),
        (["--from", "1h", "--html", "not-there/report.html"], "--html not-there/report.html: no such folder"),
        (["--from", "1h"], "the database does not answer"),
    ],
)
def test_what_cannot_be_replayed_is_said(instance: Instance, options: list[str], why: str) -> None:
    assert why in refused(instance, *options)


def test_a_broken_file_is_named_as_its_author_knows_it(instance: Instance, tmp_path: Path) -> None:
    shutil.copytree(instance.plant / "rules", tmp_path / "mine")
    (tmp_path / "mine" / "press.yaml").write_text("area: shop/press\nrules: [{rule: x, kind: limit")
    assert f"{tmp_path}/mine/press.yaml:3:1: " in refused(instance, "--from", "1h", "--rules", str(tmp_path / "mine"))


def test_points_that_do_not_suit_the_plants_rules_are_said_with_the_rule(instance: Instance, tmp_path: Path) -> None:
    shutil.copytree(instance.plant / "points", tmp_path / "mine")
    points = tmp_path / "mine" / "press.yaml"
    points.write_text(points.read_text().replace("unit: bar, range: [0, 400]", "unit: kPa, range: [0, 40000]"))
    said = refused(instance, "--from", "1h", "--points", str(tmp_path / "mine"))
    assert "rules/press.yaml:10:" in said
    assert "kPa" in said
