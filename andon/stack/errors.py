"""What can go wrong with the services; every message tells the operator what to do about it."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """Base of every refusal of the stack: show it to the operator, an immediate retry does not help."""


class FetchError(StackError):
    """A program could not be fetched; the message names the ways to do without fetching it."""

    def __init__(self, service: str, cause: str, *, variable: str, package: str) -> None:
        super().__init__(
            f"cannot fetch the programs of {service}: {cause}\n"
            f"Three ways out:\n"
            f"  1. point {variable} to a {service} that already runs\n"
            f"  2. with Docker: `docker compose up -d` (compose.yaml), and set the three variables it names\n"
            f"  3. install {package} on this host and run `andon up` again"
        )
        self.service, self.cause, self.variable, self.package = service, cause, variable, package


class PortTakenError(StackError):
    """Something else listens on a port that we need."""

    def __init__(self, service: str, port: int) -> None:
        super().__init__(
            f"port {port}, needed for {service}, is taken by another program. "
            f"Stop that program (`ss -ltnp 'sport = :{port}'` names it), or choose other ports with --port-base"
        )
        self.service, self.port = service, port


class ServiceDiedError(StackError):
    """A program ended while it was starting."""

    def __init__(self, name: str, exit_code: int, log: Path, tail: str) -> None:
        super().__init__(f"{name} ended with {exit_code} while starting. Its last words, from {log}:\n{tail}")
        self.name, self.exit_code, self.log, self.tail = name, exit_code, log, tail


class NotReadyError(StackError):
    """A program runs but did not answer in time."""

    def __init__(self, name: str, seconds: float, log: Path) -> None:
        super().__init__(f"{name} does not answer after {seconds:.0f} s, see {log}")
        self.name, self.seconds, self.log = name, seconds, log


class NotTraversableError(StackError):
    """The unprivileged account that a service runs as cannot reach its folder."""

    def __init__(self, path: Path, blocked: Path, account: str) -> None:
        super().__init__(
            f"started as root, the service runs as account {account!r}, which cannot enter {blocked} "
            f"on the way to {path}. Choose a folder that others may enter, for instance --home /var/lib/andon"
        )
        self.path, self.blocked, self.account = path, blocked, account
