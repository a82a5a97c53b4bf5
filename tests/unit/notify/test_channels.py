"""Addresses with secrets, and what a channel is told to say when it fails. What is sent: tests/integration."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from notify.channels import ChannelError, address, send, without_secrets
from tests.unit.notify.notes import MAIL


def test_a_secret_within_an_address_is_quoted_and_a_whole_address_is_taken_as_it_is() -> None:
    environment = {"USER": "andon", "PASS": "p@ss/word", "ANNA": "json://u:p@host/path"}
    assert address("mailto://${USER}:${PASS}@mail", environment) == "mailto://andon:p%40ss%2Fword@mail"
    assert address("${ANNA}", environment) == "json://u:p@host/path"
    assert address("json://host", {}) == "json://host"


def test_a_secret_that_is_not_set_is_named() -> None:
    with pytest.raises(ChannelError, match=r"\$\{PASS\} is not set in the environment of the notifier"):
        address("mailto://${PASS}@mail", {})


@pytest.mark.parametrize("url", ["nothing://x", "json://", "json://127.0.0.1:1/x?secret=hush"])
def test_a_channel_that_takes_nothing_is_an_error_with_a_reason_and_without_the_secret(url: str) -> None:
    with pytest.raises(ChannelError) as refused:
        send(replace(MAIL, url=url), {}, "title", "text", "high")
    assert refused.value.reason
    assert "hush" not in refused.value.reason


def test_a_service_that_repeats_a_secret_does_not_bring_it_into_the_log() -> None:
    environment = {"PASS": "p@ss/word", "PHONE": "tgram://123456:AAtoken_x/987654", "HOOK": "json://hooks.example.org/T1secret"}
    said = "535 p@ss/word (p%40ss%2Fword) refused"
    assert without_secrets(said, "mailto://anna:${PASS}@mail", environment) == "535 *** (***) refused"
    assert without_secrets("bot 123456:AAtoken_x is unknown", "${PHONE}", environment) == "bot ***:*** is unknown"
    said = "no connection to hooks.example.org/T1secret"
    assert without_secrets(said, "${HOOK}", environment) == "no connection to hooks.example.org/***"
    assert without_secrets("timeout", "json://host", {}) == "timeout"
