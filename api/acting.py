"""POST: requests of people. The path says what and about what, the body the rest; `desk.words` reads both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Request, Response

from api import schema
from api.service import json, service_of
from api.signing import Asker
from config.duration import span
from desk.asking import Reply
from desk.lookup import AreasOnly, everywhere, understood
from desk.words import KINDS, WordsError
from events.requests import AcknowledgeIncident, RequestBody
from events.types import make_id

LARGEST = 64 * 1024
"""Bytes of a body."""
LONGEST_KEY = 200
LATEST = timedelta(minutes=5)
"""Nobody waits longer: a request that may be done hours later is one that nobody meant."""
STATUS = {"accepted": 200, "refused": 409, "unanswered": 202, "not sent": 503}
EVERYWHERE = ("hands_off", "hands_on")
"""What can be asked of all areas at once."""

ACTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "alarm": ("/alarms/{alarm}", ("acknowledge", "reset", "shelve", "unshelve", "suppress", "unsuppress",
                                  "out_of_service", "return_to_service")),
    "device": ("/devices/{device}", ("out_of_service", "return_to_service")),
    "incident": ("/incidents/{incident:path}", ("acknowledge", "confirm", "priority", "assign", "comment", "attach",
                                                "merge", "split", "close", "reopen")),
    "area": ("/areas/{area:path}", ("silence", "hand_over", "hands_off", "hands_on")),
    "playbook": ("/playbooks/{playbook}", ("start",)),
    "run": ("/runs/{run}", ("cancel", "pause", "resume", "retry")),
    "question": ("/questions/{question}", ("answer",)),
}  # fmt: skip
"""What is acted upon -> its path and what can be asked of it, in the words of `desk.words.KINDS`."""

router = APIRouter()


class TooLargeError(Exception):
    """The body is larger than any request: 413."""


async def raw_body(request: Request) -> bytes:
    """The body, as far as it may go.

    Raises:
        TooLargeError: it is larger.
    """
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > LARGEST:
            raise TooLargeError
    return bytes(read)


Raw = Annotated[bytes, Depends(raw_body)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=LONGEST_KEY,
           description="New for each thing you want, the same when you try again: it is then done once."),
]  # fmt: skip


def _action(thing: str, word: str) -> Callable[..., Response]:
    def act(request: Request, person: Asker, raw: Raw, key: Key = None) -> Response:
        service = service_of(request)
        id_ = make_id("api", person.name, key, request.url.path, raw.hex()) if key else None
        if id_ is not None and (before := service.desk.answered(id_)) is not None:
            return _told(before)
        fields = _fields(raw, thing)
        expires_after = _expires_after(fields.pop("expires_in", None))
        given = {**fields, "type": word, thing: request.path_params[thing]}
        if thing == "area":  # what names nothing else can be asked for while the log is away
            area, body = understood(given, AreasOnly(service.log.areas()))
        else:
            with service.log.read() as db:
                area, body = understood(given, service.log.lookup(db))
        return _told(
            service.desk.ask(area, body, by=person.name, role=person.role, id_=id_, expires_after=expires_after)
        )

    return act


def _everywhere(word: str) -> Callable[..., Response]:
    def act(request: Request, person: Asker, raw: Raw, key: Key = None) -> Response:
        service = service_of(request)
        fields = _fields(raw, "area")
        expires_after = _expires_after(fields.pop("expires_in", None))
        found = everywhere({**fields, "type": word}, service.log.areas())
        asked = [(area, body, make_id("api", person.name, key, word, area) if key else None) for area, body in found]
        replies = service.desk.ask_each(asked, by=person.name, role=person.role, expires_after=expires_after)
        return json(replies, max(STATUS[reply.outcome] for reply in replies))

    return act


def _told(reply: Reply) -> Response:
    return json(reply, STATUS[reply.outcome])


def _fields(raw: bytes, thing: str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise WordsError("", f"the body is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise WordsError("", "the body is no JSON object")
    for name in fields:
        if name in ("by", "role"):
            raise WordsError(name, "the token says who asks")
        if name in ("type", thing, "id", "time", "expires"):
            raise WordsError(name, "is not said here: the path and the headers do, and expires_in")
    return fields


def _expires_after(text: Any) -> timedelta | None:
    if text is None:
        return None
    try:
        found = span(text)
    except (ValueError, TypeError, OverflowError) as error:
        raise WordsError("expires_in", "a duration such as 30s is needed") from error
    if not timedelta(0) < found <= LATEST:
        raise WordsError("expires_in", f"more than 0 and at most {LATEST.total_seconds():g} s")
    return found


def _kinds(thing: str, word: str) -> list[type[RequestBody]]:
    return [AcknowledgeIncident] if (thing, word) == ("incident", "acknowledge") else [KINDS[word]]


def _add(thing: str, path: str, word: str) -> None:
    kinds = _kinds(thing, word)
    in_path = (thing, "name", "device") if thing in ("alarm", "device") else (thing,)
    extra = _extra(Reply, kinds, in_path)
    extra["parameters"] = [{"name": thing, "in": "path", "required": True, "schema": {"type": "string"}}]
    about = (kinds[0].__doc__ or "").partition("\n")[0]
    router.add_api_route(
        f"{path}/{word.replace('_', '-')}", _action(thing, word), methods=["POST"], name=f"{word} {thing}",
        operation_id=f"{word}_{thing}", tags=[f"{thing}s"], openapi_extra=extra, response_class=Response,
        description=about if not about.startswith("Attributes") else "",
    )  # fmt: skip


def _extra(reply: Any, kinds: Sequence[type[RequestBody]], in_path: Sequence[str]) -> dict[str, Any]:
    extra = schema.gives(reply, "done: it stands in the log")
    extra["responses"] |= {
        "202": {**extra["responses"]["200"], "description": "sent, not answered yet: GET /requests/{request}"},
        "409": {**extra["responses"]["200"], "description": "refused, with the reason; the refusal is in the log"},
        "403": schema.problem("an auditor only reads"), "404": schema.problem("there is no such thing"),
        "422": schema.problem("this is no request"),
        "503": schema.problem("not sent, or the log is away: try again with the same Idempotency-Key"),
    }  # fmt: skip
    extra["requestBody"] = schema.asked(kinds, in_path)
    return extra


def _add_everywhere(word: str) -> None:
    extra = _extra(list[Reply], [KINDS[word]], ())
    router.add_api_route(
        f"/{word.replace('_', '-')}", _everywhere(word), methods=["POST"], name=f"{word} everywhere",
        operation_id=f"{word}_everywhere", tags=["areas"], openapi_extra=extra, response_class=Response,
        description="In every area of the plant: one answer for each.",
    )  # fmt: skip


for _word in EVERYWHERE:
    _add_everywhere(_word)
for _thing, (_path, _words) in ACTIONS.items():
    for _word in _words:
        _add(_thing, _path, _word)
