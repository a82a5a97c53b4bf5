"""OpenAPI of what msgspec encodes: FastAPI knows the paths, the structs know their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from msgspec import Struct

from api.service import Problem
from desk.words import LONGEST_TEXT
from events.requests import RequestBody

_AT = "#/components/schemas/{name}"
_DURATION = {
    "anyOf": [{"type": "string"}, {"type": "number", "minimum": 0}], "description": "seconds, or text such as 30min",
    "examples": ["30min"],
}  # fmt: skip
_ALARM = {"type": "string", "description": "its name, or the id of an occurrence"}
_RUN = {"type": "string", "description": "its id, latest, its playbook, or its incident (AREA#NUMBER)"}
_INCIDENT = {"type": "string", "description": "its id, AREA#NUMBER, or its number"}
EXPIRES_IN = {**_DURATION, "description": "refused when it was not done by then; seconds or text, 30s unless given"}


def gives(type_: Any, description: str = "") -> dict[str, Any]:
    """What `openapi_extra` says of a good answer: one of `type_`."""
    (schema,), _ = msgspec.json.schema_components([type_], ref_template=_AT)
    return {"responses": {"200": _content(schema, description or "OK")}}


def problem(description: str) -> dict[str, Any]:
    return _content({"$ref": _AT.format(name=Problem.__name__)}, description)


def _content(schema: Any, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def asked(kinds: Sequence[type[RequestBody]], given: Sequence[str]) -> dict[str, Any]:
    """The request body of an action: the fields of its kind but for those that the path has `given`."""
    properties: dict[str, Any] = {}
    required: set[str] | None = None
    for kind in kinds:
        needed = set()
        for field in msgspec.structs.fields(kind):
            if field.name in given:
                continue
            name = "for" if field.name == "duration_s" else field.name
            properties[name] = _field(field.name, field.type)
            if field.required:
                needed.add(name)
        required = needed if required is None else required & needed
    properties["expires_in"] = EXPIRES_IN
    schema = {
        "type": "object", "properties": properties, "required": sorted(required or ()), "additionalProperties": False,
    }  # fmt: skip
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _field(name: str, type_: Any) -> dict[str, Any]:
    if name == "duration_s":
        return _DURATION
    if type_ in (UUID, UUID | None):
        of = {"incident": _INCIDENT, "into": _INCIDENT, "run": _RUN, "question": _RUN}
        return of.get(name, _ALARM)
    if UUID in [one for part in (type_, *get_args(type_)) for one in get_args(part)]:
        return {"type": "array", "items": _ALARM}
    if type_ is str:
        return {"type": "string", "maxLength": LONGEST_TEXT}
    found: dict[str, Any] = msgspec.json.schema(type_)
    return found


def install(app: FastAPI, structs: Sequence[type[Struct]]) -> None:
    """Let the app's openapi.json have the structs as its components too."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, components = msgspec.json.schema_components(structs, ref_template=_AT)
            made.setdefault("components", {}).setdefault("schemas", {}).update(components)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
