"""Secrets come from a file that nobody else reads or from the environment, and are told to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from errands.secrets import Filling, SecretError, Secrets, in_json, in_url

SECRET = 'pa"ss/word é'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secrets.yaml").write_text(f"cmms: '{SECRET}'\nnumber: 7\n", "utf-8")
    (tmp_path / "secrets.yaml").chmod(0o600)
    return tmp_path


def test_a_secret_is_written_as_its_place_needs_it(home: Path) -> None:
    filling = Filling(Secrets(home, {}))
    assert filling.fill("Bearer {secret.cmms}") == f"Bearer {SECRET}"
    assert filling.fill("https://x/?key={secret.cmms}", in_url) == "https://x/?key=pa%22ss%2Fword%20%C3%A9"
    assert filling.fill('{"key": "{secret.cmms}"}', in_json) == '{"key": "pa\\"ss/word \\u00e9"}'
    assert filling.fill("{incident.title} {secret}") == "{incident.title} {secret}"


def test_whatever_way_it_was_written_it_is_hidden(home: Path) -> None:
    filling = Filling(Secrets(home, {}))
    for text in (filling.fill("{secret.cmms}", write) for write in (str, in_url, in_json)):
        assert filling.hide(f"it said: {text}!") == "it said: ***!"


def test_the_environment_goes_before_the_file(home: Path) -> None:
    secrets = Secrets(home, {"ANDON_SECRET_CMMS": "other"})
    assert secrets.find("cmms") == "other"


def test_a_change_of_the_file_counts_at_once(home: Path) -> None:
    secrets = Secrets(home, {})
    assert secrets.find("cmms") == SECRET
    (home / "secrets.yaml").write_text("cmms: new")
    assert secrets.find("cmms") == "new"


@pytest.mark.parametrize("name", ["erp", "number"])
def test_a_secret_that_is_not_there_is_said_by_its_name(home: Path, name: str) -> None:
    with pytest.raises(SecretError, match=f"'{name}'"):
        Secrets(home, {}).find(name)


def test_a_file_that_others_may_read_gives_nothing(home: Path) -> None:
    (home / "secrets.yaml").chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        Secrets(home, {}).find("cmms")


@pytest.mark.parametrize("text", [f"cmms: '{SECRET}", f"- {SECRET}", "\x00"])
def test_a_broken_file_is_not_quoted(home: Path, text: str) -> None:
    (home / "secrets.yaml").write_text(text)
    with pytest.raises(SecretError) as told:
        Secrets(home, {}).find("cmms")
    assert "pa" not in told.value.reason.replace("cannot be read as YAML", "")
    assert told.value.__cause__ is None


def test_without_a_file_it_is_said_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"secrets\.yaml"):
        Secrets(tmp_path, {}).find("cmms")
