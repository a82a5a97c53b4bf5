"""What makes telling needless."""

from __future__ import annotations

from uuid import UUID

import pytest

from events.envelope import Fact
from events.incidents import (
    EscalationEnded,
    IncidentAcknowledged,
    IncidentAssigned,
    IncidentClosed,
    IncidentCommented,
    IncidentMerged,
    IncidentReopened,
    IncidentResolved,
)
from notify.withdrawal import Over, over, reopened
from tests.unit.notify.notes import INCIDENT

OTHER = UUID(int=18)


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (IncidentAcknowledged(incident=INCIDENT, by="anna"), Over(INCIDENT, "acknowledged by anna")),
        (IncidentAssigned(incident=INCIDENT, to="ben", by="anna"), Over(INCIDENT, "assigned to ben")),
        (IncidentAssigned(incident=INCIDENT, to="", by="anna"), None),
        (IncidentResolved(incident=INCIDENT), Over(INCIDENT, "resolved")),
        (IncidentClosed(incident=INCIDENT, by="anna", cause="c", action="a", useful=True), Over(INCIDENT, "closed")),
        (IncidentMerged(incident=INCIDENT, into=OTHER, by="anna", reason="one cause"),
         Over(INCIDENT, "merged into another incident", calls_only=True)),
        (EscalationEnded(incident=INCIDENT, policy="night", reason="pump is shelved"),
         Over(INCIDENT, "pump is shelved", calls_only=True)),
        (EscalationEnded(incident=INCIDENT, policy="night", reason="exhausted"), None),
        (IncidentCommented(incident=INCIDENT, by="anna", text="I look at it"), None),
    ],
)  # fmt: skip
def test_who_has_the_incident_or_that_it_is_over_ends_the_telling_and_exhausted_calls_go_on_to_be_delivered(
    fact: Fact, expected: Over | None
) -> None:
    assert over(fact) == expected


def test_an_incident_that_is_reopened_is_told_of_again() -> None:
    assert reopened(IncidentReopened(incident=INCIDENT, opening=2, by="", reason="came again")) == INCIDENT
    assert reopened(IncidentResolved(incident=INCIDENT)) is None
