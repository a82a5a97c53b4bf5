from board import words
from tests.unit.board.rows import PLANT, alarm, incident


def test_the_four_states_of_an_alarm_are_told_apart_in_words() -> None:
    said = {
        words.alarm_state(alarm(active=active, acknowledged=acknowledged))
        for active in (True, False)
        for acknowledged in (True, False)
    }
    assert said == {
        ("standing", "active, unacknowledged"), ("taken", "active, acknowledged"),
        ("returned", "returned to normal, unacknowledged"), ("over", "normal"),
    }  # fmt: skip


def test_an_incident_stays_unacknowledged_while_one_of_its_alarms_is() -> None:
    taken, new = alarm("a", acknowledged=True), alarm("b")
    one = incident(acknowledged_at=taken.raised_at, acknowledged_by="Ann")
    assert words.incident_state(one, (taken,)) == ("taken", "acknowledged by Ann")
    assert words.incident_state(one, (taken, new))[0] == "standing", "a later alarm needs somebody again"


def test_an_incident_without_rows_of_alarms_is_not_taken_for_acknowledged() -> None:
    assert words.incident_state(incident(), ())[0] == "standing"


def test_the_alarms_of_another_incident_do_not_count() -> None:
    assert words.incident_state(incident(), (alarm("a", acknowledged=True), alarm("b", incident=None)))[0] == "taken"


def test_numbers_have_the_digits_that_an_operator_reads() -> None:
    assert words.number(262.3749, "bar") == "262.4 bar"
    assert words.number(0.41327) == "0.4133"
    assert words.number(12345.6, "rpm") == "12346 rpm"
    assert words.number(0.0, "bar") == "0 bar"


def test_the_value_of_a_valve_has_a_name_and_that_of_a_setpoint_a_unit() -> None:
    assert words.setting(PLANT, "press.relief_valve", 1.0) == "open"
    assert words.setting(PLANT, "press.relief_valve", 0.0) == "closed"
    assert words.setting(PLANT, "press.pressure_setpoint", 180.0) == "180 bar"
    assert words.setting(PLANT, "gone.point", 3.0) == "3"


def test_an_alarm_without_numbers_says_only_its_point() -> None:
    assert words.measured(PLANT, alarm(value=None, limit_value=None)) == "Hydraulic pressure"


def test_an_alarm_about_a_whole_device_calls_it_by_its_name() -> None:
    silent = alarm(point="cooling", value=97.68, limit_value=5.0, unit="s")
    assert words.measured(PLANT, silent) == "Cooling loop pump 1 97.68 s, limit 5 s"


def test_the_worst_priority_counts_only_what_nobody_acknowledged() -> None:
    assert words.worst((alarm("a", priority="critical", acknowledged=True), alarm("b", priority="low"))) == "low"
    assert words.worst(()) is None


def test_each_of_the_nine_states_has_words_of_its_own() -> None:
    rows = [
        alarm(active=False, acknowledged=True), alarm(), alarm(acknowledged=True), alarm(active=False),
        alarm(active=False, latched=True), alarm(active=False, acknowledged=True, latched=True),
        alarm(hidden="shelved"), alarm(hidden="suppressed"), alarm(hidden="out of service"),
    ]  # fmt: skip
    assert [a.state for a in rows] == list("ABCDEFGHI")
    assert len({words.alarm_state(a)[1] for a in rows}) == 9
