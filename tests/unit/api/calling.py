"""The app called as a web server calls it, without a socket, on a plant of these tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

from analytics.rows import Answer
from api.app import create_app
from api.service import Service
from desk.asking import Desk
from desk.log import Log, LogAwayError
from desk.sending import NotSentError
from desk.tokens import Tokens
from events.requests import Request, Role
from tests.unit.desk.plant import Known

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class World:
    """Attributes: sent: what reached Kafka; answers: how the brain answers a request (None: not in time)."""

    def __init__(self, home: Path) -> None:
        self.sent: list[Request] = []
        self.answers: Answer | None = Answer(at=NOW, accepted=True, facts=("alarm.acknowledged",))
        self.kafka = self.database = True
        self.seconds = 0.0
        self.tokens = Tokens(home)
        self.secrets: dict[str, str] = {}
        desk = Desk(self, self, clock=lambda: NOW, timer=lambda: self.seconds, sleep=self._sleep)
        service = Service(log=cast("Log", self), desk=desk, tokens=self.tokens, clock=lambda: NOW)
        self.app = create_app(service)

    def call(
        self, method: str, address: str, body: Any = None, *, role: Role | None = "operator", headers: Any = (),
        raw: bytes | None = None,
    ) -> Got:  # fmt: skip
        """The answer to a request of a person with this role, called "the ROLE"; None: without a token."""
        sent_headers = [(k.lower().encode(), v.encode()) for k, v in dict(headers).items()]
        if role is not None:
            sent_headers.append((b"authorization", f"Bearer {self._secret(role)}".encode()))
        raw = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        return asyncio.run(self._call(method, address, sent_headers, raw))

    async def _call(self, method: str, address: str, headers: list[tuple[bytes, bytes]], raw: bytes) -> Got:
        parts = urlsplit(address)
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(parts.path), "raw_path": parts.path.encode(), "query_string": parts.query.encode(),
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "root_path": "",
        }  # fmt: skip
        out: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            out.append(message)

        await self.app(scope, receive, send)
        content = b"".join(m.get("body", b"") for m in out[1:])
        told = {k.decode(): v.decode() for k, v in out[0]["headers"]}
        return Got(out[0]["status"], told, json.loads(content) if content else None)

    def _secret(self, role: Role) -> str:
        if role not in self.secrets:
            self.secrets[role] = self.tokens.create(f"the {role}", role, now=NOW)
        return self.secrets[role]

    # --- the log and Kafka of this world -----------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[None]:
        if not self.database:
            raise LogAwayError("connection refused")
        yield None

    def areas(self) -> frozenset[str]:
        return Known().areas()

    def lookup(self, _db: object) -> Known:
        return Known()

    def answer(self, request: UUID) -> Answer | None:
        return self.answers if request in {r.id for r in self.sent} else None

    def send(self, request: Request) -> None:
        if not self.kafka:
            raise NotSentError("Kafka does not answer")
        self.sent.append(request)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
