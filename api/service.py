"""What the API works with; made once, by the process's entry point, and found in the app's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Request, Response
from msgspec import Struct

from desk.asking import Desk
from desk.log import Log
from desk.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class Service:
    log: Log
    desk: Desk
    tokens: Tokens
    clock: Callable[[], datetime]


class Problem(Struct, frozen=True, kw_only=True):
    """Why it was not done. Attributes: field: of the request, which is at fault; "" for none."""

    reason: str
    field: str = ""


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


_encode = msgspec.json.Encoder().encode


def json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(content), status, headers, "application/json")
