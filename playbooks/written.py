"""The steps of a playbook as people write them: one struct per kind. Read aloud, each is a sentence.

A step is of the kind whose word it uses: `{write: …}` writes. Strict: a field that the kind does not know is refused.
What the types cannot say is found by `tree` and `stepping`, in words.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from config.duration import Duration
from events.types import Priority

NAME = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
Name = Annotated[str, Meta(extra_json_schema=NAME)]
NAMED = Meta(min_length=1, extra_json_schema={"propertyNames": NAME})
"""For mappings whose keys are names; the patterns are for the schema, `tree` says in words what is wrong."""
Names = str | list[str]
Role = Literal["operator", "supervisor", "engineer"]
STEP = {"$ref": "#/$defs/Step"}
Steps = Annotated[list[Any], Meta(extra_json_schema={"items": STEP})]
"""Read one by one, by `tree`, so that each mistake is found."""
SomeSteps = Annotated[list[Any], Meta(extra_json_schema={"items": STEP, "minItems": 1})]
StepOrSteps = Annotated[dict[str, Any], Meta(extra_json_schema=STEP)] | Steps
Text = Annotated[str, Meta(min_length=1)]
Written = dict[str, float | str]


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from YAML."""


# --- steps -----------------------------------------------------------------------------------------------------------


class Step(Strict, frozen=True, kw_only=True):
    """Any step. Attributes: step: its name in the log, s1, s2, … without one; only_if: else it is skipped."""

    step: Annotated[str, Meta(extra_json_schema={"pattern": "^([A-Za-z_][A-Za-z0-9_]*)?$"})] = ""
    only_if: str = ""


class Failing(Step, frozen=True, kw_only=True):
    """A step that can fail. Attributes: on_error: stop, continue, or steps in place of both; undo: what takes it back
    when the run fails or is cancelled."""

    on_error: Literal["stop", "continue"] | SomeSteps = "stop"
    undo: StepOrSteps = []


class Tried(Failing, frozen=True, kw_only=True):
    """Attributes: timeout: an attempt has failed after that; retry: further attempts; pause: between two."""

    timeout: Duration = "10s"
    retry: Annotated[int, Meta(ge=0, le=10)] = 0
    pause: Duration = "0s"


class Write(Tried, frozen=True, kw_only=True):
    """Point: value, in the unit of the point, the name of a state, or an expression over what the run knows.

    Attributes: not_after: no device is moved later than this after the attempt began; without it, timeout.
        precondition: over points of the same edge, checked at the device. tolerance: of the read-back.
    """

    write: Annotated[Written, Meta(min_length=1)]
    retry: Annotated[int, Meta(ge=0, le=10)] = 1
    not_after: Duration | None = None
    precondition: str = ""
    tolerance: Annotated[float, Meta(ge=0)] | None = None


class Read(Tried, frozen=True, kw_only=True):
    """Variable: point, asked of the device now."""

    read: Annotated[dict[str, str], NAMED]
    retry: Annotated[int, Meta(ge=0, le=10)] = 1


class WaitFor(Tried, frozen=True, kw_only=True):
    """Until the condition holds (and has held for `for`)."""

    wait_for: str
    timeout: Duration
    for_: Duration = field(default="0s", name="for")


class Delay(Step, frozen=True, kw_only=True):
    delay: Duration


class Notify(Failing, frozen=True, kw_only=True):
    """Tell a position or a person. Done when it is issued."""

    notify: Text
    text: Text
    priority: Priority = "high"
    timeout: Duration = "10s"


class Ask(Tried, frozen=True, kw_only=True):
    """A question: approval, or one of `choices`. No answer in time means no, or `otherwise`."""

    ask: Text
    to: Text
    timeout: Duration
    role: Role = "operator"
    priority: Priority = "high"
    choices: list[Text] = []
    otherwise: str = ""
    four_eyes: bool = False


class Task(Tried, frozen=True, kw_only=True):
    """People do it, and tick all of the checklist. Attributes: picture: path or URL."""

    task: Text
    to: Text
    timeout: Duration
    role: Role = "operator"
    priority: Priority = "high"
    checklist: list[Text] = []
    picture: str = ""


class HttpCall(Strict, frozen=True, kw_only=True):
    """Attributes: json, body: one of them; expect: status codes that mean success, 200 to 299 without; save: result
    name: JSON pointer into the answer."""

    url: Annotated[str, Meta(extra_json_schema={"pattern": "^https?://[^/]"})]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, str] = {}
    json: Any = None
    body: str = ""
    expect: list[Annotated[int, Meta(ge=100, le=599)]] = []
    save: Annotated[
        dict[str, Annotated[str, Meta(extra_json_schema={"pattern": "^(/.*)?$"})]],
        Meta(extra_json_schema={"propertyNames": NAME}),
    ] = {}


class Http(Tried, frozen=True, kw_only=True):
    """Call another system. Secrets by name: {secret.cmms}."""

    http: HttpCall
    timeout: Duration = "30s"
    retry: Annotated[int, Meta(ge=0, le=10)] = 1


class Message(Strict, frozen=True, kw_only=True):
    topic: Text
    payload: str
    retain: bool = False


class Publish(Tried, frozen=True, kw_only=True):
    """To MQTT. Never to andon/…: no device is moved that way."""

    publish: Message
    retry: Annotated[int, Meta(ge=0, le=10)] = 1


class If(Failing, frozen=True, kw_only=True):
    if_: str = field(name="if")
    then: Steps
    else_: Steps = field(default_factory=list, name="else")
    timeout: Duration | None = None


class Case(Strict, frozen=True, kw_only=True):
    when: str
    steps: Steps


class Choose(Failing, frozen=True, kw_only=True):
    """The first case whose condition holds when the step begins."""

    choose: Annotated[list[Case], Meta(min_length=1)]
    else_: Steps = field(default_factory=list, name="else")
    timeout: Duration | None = None


class Parallel(Failing, frozen=True, kw_only=True):
    """Lists of steps beside each other."""

    parallel: Annotated[list[Steps], Meta(min_length=2)]
    timeout: Duration | None = None


class Times(Strict, frozen=True, kw_only=True):
    times: Annotated[int, Meta(ge=1, le=1000)]
    steps: SomeSteps


class Until(Strict, frozen=True, kw_only=True):
    """Ends after a pass when it holds; fails where it never did."""

    until: str
    most: Annotated[int, Meta(ge=1, le=1000)]
    steps: SomeSteps


class While(Strict, frozen=True, kw_only=True):
    """Begins a pass only when it holds."""

    while_: str = field(name="while")
    most: Annotated[int, Meta(ge=1, le=1000)]
    steps: SomeSteps


class Repeat(Failing, frozen=True, kw_only=True):
    repeat: Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/$defs/Repeating"})]
    timeout: Duration | None = None


class Call(Failing, frozen=True, kw_only=True):
    """The steps of another playbook of the area, here."""

    call: Text
    timeout: Duration | None = None


class Set(Step, frozen=True, kw_only=True):
    """Variables: numbers, true, false; a text is an expression ("'A'" is the text A)."""

    set: Annotated[dict[str, bool | float | str], NAMED]
    on_error: Literal["stop", "continue"] | SomeSteps = "stop"


class Stop(Step, frozen=True, kw_only=True):
    """End the run here; `failed` undoes what was done."""

    stop: str
    outcome: Literal["completed", "failed", "cancelled"] = "completed"


class Comment(Strict, frozen=True, kw_only=True):
    comment: Text


class Assign(Strict, frozen=True, kw_only=True):
    assign: Text


class Escalate(Strict, frozen=True, kw_only=True):
    """Attributes: escalate: why."""

    escalate: Text
    priority: Priority = "critical"


class Closing(Strict, frozen=True, kw_only=True):
    cause: Text
    action: Text


class Close(Strict, frozen=True, kw_only=True):
    close: Closing


class OfIncident(Tried, frozen=True, kw_only=True):
    incident: Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/$defs/IncidentAct"})]


Kinds = dict[str, type[Any]]
"""Word -> what stands where that word is used."""
STEPS: Kinds = {
    "write": Write, "read": Read, "wait_for": WaitFor, "delay": Delay, "notify": Notify, "ask": Ask, "task": Task,
    "http": Http, "publish": Publish, "if": If, "choose": Choose, "parallel": Parallel, "repeat": Repeat, "call": Call,
    "set": Set, "stop": Stop, "incident": OfIncident,
}  # fmt: skip
REPEATS: Kinds = {"times": Times, "until": Until, "while": While}
INCIDENT_ACTS: Kinds = {"comment": Comment, "assign": Assign, "escalate": Escalate, "close": Close}
