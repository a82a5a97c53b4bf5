"""What is known in these tests: one press area with an alarm that stands and one that is normal, two incidents 17."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from desk.words import AlarmAt, IncidentAt, WorkAt
from events.types import make_id

STANDING, OVER = make_id("standing"), make_id("over")
PRESS_17, PRESS_18, COOLING_17 = make_id("press 17"), make_id("press 18"), make_id("cooling 17")
ALARMS = {
    "press_pressure.high": AlarmAt("shop/press", "press_pressure.high", STANDING),
    "press_vibration": AlarmAt("shop/press", "press_vibration", None),
    "cooling_flow": AlarmAt("shop/cooling", "cooling_flow", make_id("cooling")),
}
INCIDENTS = (
    IncidentAt("shop/cooling", COOLING_17, 17), IncidentAt("shop/press", PRESS_17, 17),
    IncidentAt("shop/press", PRESS_18, 18),
)  # fmt: skip
RUN, OLDER_RUN, QUESTION = make_id("run"), make_id("older run"), make_id("question")
RUNS = (
    WorkAt("shop/press", RUN, "press_overpressure of 06:00:00"),
    WorkAt("shop/press", OLDER_RUN, "press_overpressure of 05:00:00"),
)  # fmt: skip
"""The newest first."""


class Known:
    """A `Lookup`."""

    def alarm(self, name: str) -> AlarmAt | None:
        return ALARMS.get(name)

    def occurrence(self, id_: UUID) -> AlarmAt | None:
        found = {STANDING: ALARMS["press_pressure.high"], OVER: ALARMS["press_vibration"]}.get(id_)
        return found._replace(occurrence=id_) if found else None

    def incident(self, id_: UUID) -> IncidentAt | None:
        return next((i for i in INCIDENTS if i.incident == id_), None)

    def numbered(self, area: str, number: int) -> Sequence[IncidentAt]:
        return [i for i in INCIDENTS if i.number == number and (not area or f"/{i.area}".endswith(f"/{area}"))]

    def device(self, device: str) -> str | None:
        return "shop/press" if device == "press" else None

    def playbook(self, name: str) -> str | None:
        return {"press_overpressure": "shop/press", "cooling_failover": "shop/cooling"}.get(name)

    def runs(self, words: str) -> Sequence[WorkAt]:
        if words in ("latest", "press_overpressure"):
            return RUNS[:1]
        return [run for run in RUNS if words == str(run.id) or words == "of five or six"]

    def questions(self, words: str) -> Sequence[WorkAt]:
        asked = WorkAt("shop/press", QUESTION, "approve of press_overpressure")
        return [asked] if words in ("latest", "press_overpressure", str(QUESTION)) else []

    def closest(self, field: str, fields: Mapping[str, Any]) -> str:
        return "press_pressure.high" if field == "alarm" and fields["alarm"] == "pres_pressure" else ""

    def areas(self) -> frozenset[str]:
        return frozenset({"shop/press", "shop/cooling"})
