"""One message over one channel, through apprise. A secret in the address comes from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

from events.types import Priority
from incidents.people_file import Channel

_SECRET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PARTS = re.compile(r"[/:@?&=#]+")
_SHORTEST = 5
_TYPES: dict[Priority, NotifyType] = {
    "low": NotifyType.INFO, "medium": NotifyType.INFO, "high": NotifyType.WARNING, "critical": NotifyType.FAILURE,
}  # fmt: skip


class ChannelError(Exception):
    """The channel did not take the message; try again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def address(url: str, environment: Mapping[str, str]) -> str:
    """The address with its secrets. A whole address from the environment is taken as it is; a part of one is quoted.

    Raises:
        ChannelError: the environment lacks a secret.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise ChannelError(f"${{{match[1]}}} is not set in the environment of the notifier")
        text = environment[match[1]]
        return text if match[0] == url else quote(text, safe="")

    return _SECRET.sub(value, url)


def send(channel: Channel, environment: Mapping[str, str], title: str, text: str, priority: Priority) -> None:
    """Send, in this thread; apprise's own time limits hold (some seconds), and it does not try twice.

    Raises:
        ChannelError: with the reason in apprise's words, which hold no secret.
    """
    full = address(channel.url, environment)
    try:
        reason = _send(full, title, text, _TYPES[priority])
    except Exception as error:  # noqa: BLE001  a fault in one channel's plugin must not end the others
        reason = f"{type(error).__name__} in apprise"  # its text may hold the address, with the secret
    if reason:
        raise ChannelError(without_secrets(reason, channel.url, environment))


def without_secrets(text: str, url: str, environment: Mapping[str, str]) -> str:
    """The text without what the environment gave to the address: a service may repeat what it was sent. Of a whole
    address all its parts count but names of hosts; what is shorter than a secret stays."""
    for name in set(_SECRET.findall(url)):
        value = environment.get(name, "")
        parts = _PARTS.split(value) if url == f"${{{name}}}" else [value]
        secret = {p for p in parts if len(p) >= _SHORTEST and ("." not in p or p == value)}
        for part in sorted(secret, key=len, reverse=True):
            for written in {part, quote(part, safe=""), unquote(part)} - {""}:
                text = text.replace(written, "***")
    return text


def _send(url: str, title: str, text: str, kind: NotifyType) -> str:
    """Why it was not taken; "" when it was."""
    asset = AppriseAsset(
        app_id="Andon", app_desc="Andon", app_url="", image_url_mask="", image_url_logo="", async_mode=False,
        secure_logging=True, storage_mode=PersistentStoreMode.MEMORY,
    )  # fmt: skip
    service = Apprise(asset=asset)
    if not service.add(url):
        return "apprise does not take the address of this channel: something in it is missing or wrong"
    result = service.notify(title=title, body=text, notify_type=kind, body_format=NotifyFormat.TEXT)
    if result:
        return ""
    return "; ".join([entry.message for entry in result.logs()][-3:]) or "apprise says no, and not why"
