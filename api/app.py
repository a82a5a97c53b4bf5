"""The application: routes, and which error is which answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api import acting, reading, running, schema
from api.acting import LARGEST, TooLargeError
from api.service import Problem, Service, json
from api.signing import NotAllowedError, NotSignedError
from desk.log import LogAwayError
from desk.sending import NotSentError
from desk.tokens import TokenError
from desk.words import UnknownThingError, WordsError

ABOUT = """Alarms and incidents of one plant. Every request of a person is answered from the event log: 200 done, 409
refused with the reason (the refusal is in the log too), 202 sent but not answered within two seconds, 503 not sent.
Name and role come from the token: `andon token create --name anna --role operator`."""
UNSIGNED = {"WWW-Authenticate": "Bearer"}


def create_app(service: Service) -> FastAPI:
    """The API on `service`. No documentation pages: they would load scripts from elsewhere; /openapi.json is there."""
    app = FastAPI(title="Andon", version="1", description=ABOUT, docs_url=None, redoc_url=None)
    app.state.service = service
    app.include_router(reading.router)
    app.include_router(running.router)
    app.include_router(acting.router)
    schema.install(app, (*reading.STRUCTS, *running.STRUCTS, Problem))

    def answer(error: type[Exception], status: int, headers: dict[str, str] | None = None) -> None:
        async def respond(_request: Request, raised: Any) -> Response:
            return json(_problem(raised), status, headers)

        app.add_exception_handler(error, respond)

    answer(NotSignedError, 401, UNSIGNED)
    answer(NotAllowedError, 403)
    answer(UnknownThingError, 404)
    answer(TooLargeError, 413)
    answer(WordsError, 422)
    answer(RequestValidationError, 422)
    answer(LogAwayError, 503)
    answer(TokenError, 503)
    answer(NotSentError, 503)

    @app.exception_handler(HTTPException)
    async def other(_request: Request, raised: HTTPException) -> Response:
        return json(Problem(reason=str(raised.detail)), raised.status_code, dict(raised.headers or {}))

    return app


def _problem(raised: Exception) -> Problem:
    match raised:
        case WordsError(field=field, reason=reason):
            return Problem(reason=reason, field=field)
        case RequestValidationError():
            first = raised.errors()[0]
            return Problem(reason=str(first["msg"]), field=str(first["loc"][-1]))
        case NotSignedError():
            return Problem(reason="a token is needed that holds: Authorization: Bearer andon_…")
        case TooLargeError():
            return Problem(reason=f"the body is larger than {LARGEST} bytes")
        case _:
            return Problem(reason=str(raised))
