"""What stands in `rules/*.yaml`: one struct per kind of rule. Read a rule aloud and it is a sentence.

    - rule: press_pressure
      kind: limits
      point: press.pressure
      limits:
        H: {limit: 200 bar, priority: high, message: Pressure is high}
      deadband: 5 bar
      on_delay: 500ms

Quantities are numbers in the point's unit, or text with the unit (`200 bar`), which must be the point's. Durations are
`500ms`, `30s`, `5min`; spans of windows may also be counted, `20 samples`. What the types cannot say stands as a
pattern beside them, for the JSON Schema; `compiling` checks the same and says in words what is wrong.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, field

from config.duration import Duration
from detection.attributes import Attributes, Name, Strict
from detection.priorities import Severity
from events.types import Priority

_NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
_TIME = r"[0-9]*\.?[0-9]+\s*(ms|s|min|h|d)?"
_SAMPLES = r"[0-9]+\s*samples?"
Quantity = float | Annotated[str, Meta(extra_json_schema={"pattern": rf"^\s*{_NUMBER}(\s*[^\s0-9].*)?\s*$"})]
Samples = Annotated[str, Meta(extra_json_schema={"pattern": rf"^\s*{_SAMPLES}\s*$"})]
Span = (
    Annotated[str, Meta(extra_json_schema={"pattern": rf"^\s*({_TIME}|{_SAMPLES})\s*$"})]
    | Annotated[float, Meta(extra_json_schema={"exclusiveMinimum": 0})]
)
Level = Literal["HH", "H", "L", "LL"]
Of = Literal["mean", "ewma", "deviation", "min", "max", "count", "rate", "range"]


class _Rule(Attributes, frozen=True, kw_only=True, tag_field="kind"):
    """What every rule says.

    Attributes:
        rule: its id, one in the plant.
        message: what an operator reads; without it, the title.
        off_delay: how long the condition must be gone until it is cleared.
        while_: the rule watches only while this expression is true; while it is false the condition counts as gone.
        class_: of alarms: what the rule does not say it takes from there.
        cause, consequence, action: the rationalisation (ISA-18.2), beside owner, severity and response_time.
        suppress_when: while this expression is true the alarm is suppressed: still watched and recorded, not shown.
        suppressed_by, consequence_of: names of alarms of the area (`*` and `?`); the first suppress this one while they
            are active, behind the others it is held back in a flood.
    """

    rule: Name
    title: str = ""
    message: str = ""
    off_delay: Duration = "0s"
    while_: str = field(default="", name="while")
    class_: str = field(default="", name="class")
    cause: str = ""
    consequence: str = ""
    action: str = ""
    suppress_when: str = ""
    suppressed_by: tuple[str, ...] = ()
    consequence_of: tuple[str, ...] = ()


class LimitLevel(Strict, frozen=True, kw_only=True):
    """One step of a ladder; what it does not say it takes from its rule."""

    limit: Quantity
    severity: Severity | None = None
    priority: Priority | None = None
    priority_reason: str = ""
    message: str = ""
    deadband: Quantity | None = None
    on_delay: Duration | None = None
    off_delay: Duration | None = None


class Limits(_Rule, frozen=True, kw_only=True, tag="limits"):
    """At or above HH or H, at or below L or LL. Each level is a rule of its own: `press_pressure.HH`.

    Attributes: of, over: a window in front of the limits, as in `of: mean`, `over: 10s`.
    """

    point: str
    limits: Annotated[
        dict[Level, LimitLevel],
        Meta(extra_json_schema={"minProperties": 1, "propertyNames": {"enum": list(get_args(Level))}}),
    ]
    of: Of | None = None
    over: Span | None = None
    deadband: Quantity = 0.0
    on_delay: Duration = "0s"


class Deviation(_Rule, frozen=True, kw_only=True, tag="deviation"):
    """`point` differs `from` another point (or a number) by `more_than`."""

    point: str
    from_: float | str = field(name="from")
    more_than: Quantity
    deadband: Quantity = 0.0
    on_delay: Duration = "0s"


class Rate(_Rule, frozen=True, kw_only=True, tag="rate"):
    """`point` changes `faster_than` so much a second, measured `over` a span."""

    point: str
    faster_than: Quantity
    over: Span
    direction: Literal["up", "down", "either"] = "either"
    deadband: Quantity = 0.0
    on_delay: Duration = "0s"


class State(_Rule, frozen=True, kw_only=True, tag="state"):
    """`point` `is` in that state (a state's name or a number) `for` so long."""

    point: str
    is_: str | float = field(name="is")
    for_: Duration = field(default="0s", name="for")


class Flatline(_Rule, frozen=True, kw_only=True, tag="flatline"):
    """`point` `moves_less_than` so much `over` a span: a sensor that hangs."""

    point: str
    moves_less_than: Quantity
    over: Span
    on_delay: Duration = "0s"


class NoData(_Rule, frozen=True, kw_only=True, tag="no_data"):
    """No good value `for` so long, of `point` or of any point of `device`: silence, no answer and bad quality alike."""

    point: str = ""
    device: str = ""
    for_: Duration = field(name="for")


class Expression(_Rule, frozen=True, kw_only=True, tag="expression"):
    """`when` has been true `for` so long; cleared when it is false, kept as it is while it is unknown."""

    when: str
    for_: Duration = field(default="0s", name="for")


class Baseline(_Rule, frozen=True, kw_only=True, tag="baseline"):
    """`points` (of one device) together are not as they were when their normal behaviour was learned.

    Attributes:
        learn: how many samples make the picture of normal: the first ones, and again each time `while` becomes true.
            Scans that repeat the one before to the last digit are not counted.
        smooth: a change counts when it lasts about so many samples.
        unusual_by: how far from normal, in normal spreads of the smoothed value.
        adapt: time constant, in samples, by which normal may drift; 0: never.
    """

    points: Annotated[list[str], Meta(extra_json_schema={"minItems": 1, "uniqueItems": True})]
    learn: Samples = "300 samples"
    smooth: Samples = "20 samples"
    unusual_by: Annotated[float, Meta(extra_json_schema={"exclusiveMinimum": 0})] = 6.0
    adapt: Samples = "0 samples"


AnyRule = Limits | Deviation | Rate | State | Flatline | NoData | Expression | Baseline


class RulesFile(Strict, frozen=True, kw_only=True):
    """One file of `rules/`: the rules of one area."""

    area: str
    rules: list[AnyRule]
