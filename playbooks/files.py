"""A file of `playbooks/` or `blueprints/` beside its steps: triggers, what else a playbook says, parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from config.duration import Duration
from events.types import Priority
from playbooks.written import INCIDENT_ACTS, NAME, REPEATS, STEPS, Kinds, Name, Names, Role, SomeSteps, Text

TRIGGER = {"$ref": "#/$defs/Trigger"}


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from YAML."""


class IncidentTrigger(Strict, frozen=True, kw_only=True):
    """`rule` (a rule's or an alarm's) and `point` are names or patterns with * and ?; `after`: one of these playbooks
    ran for the incident."""

    incident: Literal["opened", "changed", "resolved", "closed"]
    rule: Names = []
    point: Names = []
    min_priority: Priority = "low"
    after: Names = []


class AlarmTrigger(Strict, frozen=True, kw_only=True):
    alarm: Literal["raised", "cleared"]
    rule: Names = []
    point: Names = []
    min_priority: Priority = "low"


class Asking(Strict, frozen=True, kw_only=True):
    """Attributes: role: the lowest that may."""

    role: Role = "operator"


class RequestTrigger(Strict, frozen=True, kw_only=True):
    request: Asking


class Schedule(Strict, frozen=True, kw_only=True):
    """Attributes: cron: minute hour day month weekday; zone: IANA name."""

    cron: str
    zone: str = "UTC"


class ScheduleTrigger(Strict, frozen=True, kw_only=True):
    schedule: Schedule


class Limit(Strict, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=1)]
    per: Duration


class Head(Strict, frozen=True, kw_only=True):
    """What a playbook says beside its steps, and what `use:` may say in place of the blueprint. None: not said."""

    area: str = ""
    class_: str = field(default="", name="class")
    title: str | None = None
    trigger: Annotated[dict[str, Any] | list[Any] | None, Meta(extra_json_schema={"$ref": "#/$defs/Triggers"})] = None
    when: str | None = None
    mode: Literal["parallel", "queue", "single", "restart"] | None = None
    most: Annotated[int, Meta(ge=1, le=100)] | None = None
    priority: Annotated[int, Meta(ge=0, le=100)] | None = None
    limit: Limit | None = None
    runs_at: Literal["edge", "plant", "cloud"] | None = None
    ends_with_incident: bool | None = None
    escalate_to: Text | None = None
    consequences: list[str] | None = None
    """Alarms, by name or pattern, that it causes itself: in a flood they are held back behind what set it off."""


class PlaybookFile(Head, frozen=True, kw_only=True):
    """One file of `playbooks/`: for an area, or once for each device of a class."""

    id: Name
    steps: SomeSteps


class UseFile(Head, frozen=True, kw_only=True):
    """A playbook from a blueprint."""

    id: Name
    use: str
    with_: dict[str, Any] = field(default_factory=dict, name="with")


class PointParameter(Strict, frozen=True, kw_only=True):
    point: Literal["readable", "writable"]
    help: str = ""


class NumberParameter(Strict, frozen=True, kw_only=True):
    """Attributes: number: when nothing else is said; null: it must be said."""

    number: float | None
    unit: str = ""
    help: str = ""


class TextParameter(Strict, frozen=True, kw_only=True):
    """Attributes: text: when nothing else is said; null: it must be said. A list of texts goes where a list may
    stand."""

    text: str | list[str] | None
    help: str = ""


class BlueprintFile(Strict, frozen=True, kw_only=True):
    """A playbook with `${name}` where its parameters go. All but the first three is read when it is used."""

    blueprint: Name
    steps: list[Any]
    parameters: Annotated[
        dict[str, dict[str, Any]],
        Meta(extra_json_schema={"additionalProperties": {"$ref": "#/$defs/Parameter"}, "propertyNames": NAME}),
    ] = {}
    title: str = ""
    trigger: Any = None
    when: Any = None
    mode: Any = None
    most: Any = None
    priority: Any = None
    limit: Any = None
    runs_at: Any = None
    ends_with_incident: Any = None
    escalate_to: Any = None
    consequences: Any = None


TRIGGERS: Kinds = {
    "incident": IncidentTrigger, "alarm": AlarmTrigger, "request": RequestTrigger, "schedule": ScheduleTrigger,
}  # fmt: skip
PARAMETERS: Kinds = {"point": PointParameter, "number": NumberParameter, "text": TextParameter}
_CHOICES = {"Step": STEPS, "Repeating": REPEATS, "IncidentAct": INCIDENT_ACTS, "Trigger": TRIGGERS,
            "Parameter": PARAMETERS}  # fmt: skip


def json_schema() -> dict[str, object]:
    """JSON Schema of a file of `playbooks/` or `blueprints/`, from the models that also check it."""
    models = [kind for kinds in _CHOICES.values() for kind in kinds.values()]
    files: list[type[Struct]] = [BlueprintFile, UseFile, PlaybookFile]
    (blueprint, use, playbook, *_), parts = msgspec.json.schema_components(
        [*files, *models], ref_template="#/$defs/{name}"
    )
    kinds: dict[str, Any] = {name: {"title": name, **_one_of(kinds)} for name, kinds in _CHOICES.items()}
    triggers = {"anyOf": [{"type": "null"}, TRIGGER, {"type": "array", "items": TRIGGER, "minItems": 1}]}
    for file in ("PlaybookFile", "UseFile"):
        parts[file]["oneOf"] = [{"required": ["area"]}, {"required": ["class"]}]
    # as `blueprints` decides
    which = {"if": {"required": ["blueprint"]}, "then": blueprint,
             "else": {"if": {"required": ["use"]}, "then": use, "else": playbook}}  # fmt: skip
    return {"type": "object", **which, "$defs": {**parts, **kinds, "Triggers": triggers}}


def _one_of(kinds: Kinds) -> dict[str, object]:
    """What uses one of the words is of that kind; of two words, each kind refuses the other."""
    return {
        "type": "object", "anyOf": [{"required": [word]} for word in kinds],
        "allOf": [{"if": {"required": [word]}, "then": {"$ref": f"#/$defs/{kind.__name__}"}}
                  for word, kind in kinds.items()],
    }  # fmt: skip
