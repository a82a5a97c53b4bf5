"""A private mosquitto: on loopback, with passwords and an access list, keeping sessions over kill -9."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from andon.stack import debian
from andon.stack.accounts import hand_over, unprivileged
from andon.stack.errors import FetchError
from andon.stack.process import Command, listens

_PROGRAM = "usr/sbin/mosquitto"
_STAMP = f"mosquitto from {debian.SUITE}, layout 1"

_CONF = """\
# written at every start
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
persistence true
persistence_location {folder}/
# what a gateway sent and what waits for a device survives kill -9, but for the last second: see ADR 9
autosave_interval 1
autosave_on_changes false
persistent_client_expiration 14d
max_queued_messages 0
max_inflight_messages 100
# small packets go at once: else one waits up to 40 ms for the TCP acknowledgement of the one before it
set_tcp_nodelay true
# an edge's frames after a long outage: 16 MB payloads, and room for the header
message_size_limit 16777216
max_packet_size 17825792
log_dest stdout
log_timestamp_format %Y-%m-%dT%H:%M:%S
log_type error
log_type warning
log_type notice
"""

# What playbooks publish reaches no device and is no reading: `deny` goes before every grant, those of patterns too.
# An edge logs in with its own id and reaches its own branch only. mosquitto grants a subscription that the list
# forbids, and then delivers nothing.
_ACL = """\
# written at every start
user bridge
topic readwrite andon/#
topic readwrite neuron/#
topic readwrite plain/#

user gateway
topic write neuron/#
topic write plain/#
topic read neuron/+/write/#

user errands
topic deny andon/#
topic deny neuron/#
topic deny plain/#
topic write #

user monitor
topic read #
topic read $SYS/#

pattern write andon/v1/%u/up/#
pattern read andon/v1/%u/down/#
"""


class Mosquitto:
    """The broker in `folder`, on `port`, for these users."""

    name = "mosquitto"

    def __init__(self, *, runtime: Path, folder: Path, log: Path, port: int, passwords: Mapping[str, str]) -> None:
        self.runtime, self.folder, self.log, self.port = runtime / "mosquitto", folder, log, port
        self.ports: tuple[int, ...] = (port,)
        self._passwords = passwords
        self._account = unprivileged("mosquitto")

    def build(self, say: debian.Say) -> None:
        """Fetch the broker, unless it is here.

        Raises:
            FetchError: neither the archive nor this host has one.
        """
        try:
            with debian.built_once(self.runtime, _STAMP) as work:
                if work is not None:
                    say("mosquitto: fetching the broker from the Debian archive (about 7 MB)")
                    debian.unpack(work, ["mosquitto"], [_PROGRAM], say)
        except debian.UnpackError as e:
            if _of_host() is None:
                raise FetchError("mosquitto", str(e), variable="ANDON_MQTT_URL", package="the package mosquitto") from e
            say(f"mosquitto: using this host's own, since {e}")

    def prepare(self) -> None:
        """Write the configuration; what the broker keeps stays."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / "mosquitto.conf").write_text(_CONF.format(port=self.port, folder=self.folder))
        for name, text in (("passwords", self._password_file()), ("acl", _ACL)):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).chmod(0o600)
            (self.folder / name).write_text(text)
        hand_over(self.folder, self._account)

    def command(self) -> Command:
        private = self.runtime / _PROGRAM
        program = str(private) if private.exists() else _of_host() or "mosquitto"
        argv = (program, "-c", str(self.folder / "mosquitto.conf"))
        return Command(name=self.name, argv=argv, cwd=self.folder, log=self.log, account=self._account)

    def answers(self) -> bool:
        return listens(self.port)

    def settle(self) -> None:
        """Nothing is to be set up after the first start."""

    def _password_file(self) -> str:
        return "".join(f"{user}:{_hashed(password)}\n" for user, password in sorted(self._passwords.items()))


def _of_host() -> str | None:
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _hashed(password: str) -> str:
    """As mosquitto_passwd writes it: $7$iterations$salt$PBKDF2-HMAC-SHA512. Passwords are 128 random bits."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations := 101, dklen=64)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
