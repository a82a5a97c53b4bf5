import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desk.tokens import TokenError, Tokens

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def test_the_secret_says_who_and_as_what(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("anna", "operator", now=NOW)
    other = tokens.create("carl", "auditor", now=NOW)
    found = [tokens.who(s, NOW) for s in (secret, other)]
    assert [(t.name, t.role) for t in found if t is not None] == [("anna", "operator"), ("carl", "auditor")]


@pytest.mark.parametrize("wrong", ["", "andon_", "anna", "x" * 10_000, "\u00e4\ud83d"])
def test_anything_else_is_nobody(tmp_path: Path, wrong: str) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("anna", "operator", now=NOW)
    assert tokens.who(wrong, NOW) is None


def test_the_file_holds_no_secret_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    secret = Tokens(tmp_path).create("anna", "operator", now=NOW)
    file = tmp_path / "tokens.json"
    assert secret.removeprefix("andon_") not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_digest_is_no_secret(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("anna", "operator", now=NOW)
    assert tokens.who(tokens.all()[0].digest, NOW) is None


def test_an_expired_token_holds_no_longer_and_its_name_is_free_again(tmp_path: Path) -> None:
    tokens, later = Tokens(tmp_path), NOW + timedelta(days=30)
    secret = tokens.create("anna", "operator", now=NOW, expires=later)
    assert tokens.who(secret, later - timedelta(seconds=1)) is not None
    assert tokens.who(secret, later) is None
    tokens.create("anna", "supervisor", now=later)
    assert [t.role for t in tokens.all()] == ["supervisor"]


def test_a_process_that_runs_hears_of_a_revocation_at_once(tmp_path: Path) -> None:
    api, people = Tokens(tmp_path), Tokens(tmp_path)
    secret = people.create("anna", "operator", now=NOW)
    assert api.who(secret, NOW) is not None
    people.revoke("anna")
    assert api.who(secret, NOW) is None


@pytest.mark.parametrize(
    ("name", "role", "reason"),
    [("", "operator", "a name"), (" anna", "operator", "a name"), ("an\nna", "operator", "a name"),
     ("a" * 61, "operator", "a name"), ("anna", "boss", "no role 'boss'"), ("carl", "operator", "already"),
     ("andon", "system", "no role 'system'")],
)  # fmt: skip
def test_what_cannot_be_a_token_is_refused(tmp_path: Path, name: str, role: str, reason: str) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("carl", "auditor", now=NOW)
    with pytest.raises(TokenError, match=reason):
        tokens.create(name, role, now=NOW)  # type: ignore[arg-type]
    assert len(tokens.all()) == 1


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("anna", "operator", now=NOW)
    (tmp_path / "tokens.json").write_text('[{"name": "anna"')
    with pytest.raises(TokenError, match=r"tokens\.json"):
        tokens.who(secret, NOW)


def test_what_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="there is none"):
        Tokens(tmp_path).revoke("anna")


def test_nobody_is_the_system_even_if_the_file_says_so(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("anna", "operator", now=NOW)
    file = tmp_path / "tokens.json"
    file.write_text(file.read_text().replace('"operator"', '"system"'))
    assert Tokens(tmp_path).who(secret, NOW) is None
