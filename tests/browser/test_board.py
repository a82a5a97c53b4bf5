"""The board as an operator meets it: a real browser, a real Streamlit server, a scripted log behind it."""

from __future__ import annotations

import re
import signal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import BoardServer

pytestmark = pytest.mark.browser

SOON = 20_000
"""[ms] Longer than any refresh on a busy machine; what has a promised time is measured in its test."""


def open_board(page: Page, plant: BoardServer, query: str = "") -> None:
    page.goto(plant.url + query)
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)


def incidents(page: Page) -> Locator:
    return page.get_by_role("grid", name="Incidents")


def alarms(page: Page) -> Locator:
    return page.get_by_role("grid", name="Alarms")


def row(page: Page, id_: str) -> Locator:
    return page.locator(f'[role=row][data-id$="{id_}"]')


def sign(page: Page, name: str = "Ann Lee") -> None:
    page.get_by_label("Your name").fill(name)


def is_old(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.classList.contains('andon-old')"))


# --- showing ---------------------------------------------------------------------------------------------------------


def test_an_empty_plant_shows_that_all_is_well_and_that_it_is_live(page: Page, plant: BoardServer) -> None:
    open_board(page, plant)
    expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    expect(page.get_by_role("status", name="Age of data")).to_contain_text(re.compile(r"data is \d\.\d s old"))
    expect(page.get_by_text("No incident is open.")).to_be_visible()


def test_all_is_well_is_never_said_while_a_device_does_not_answer(page: Page, plant: BoardServer) -> None:
    plant.do("lose", device="press_light")
    open_board(page, plant)
    expect(page.get_by_role("heading", name="No alarm stands, but part of the plant cannot be seen")).to_be_visible()
    expect(page.get_by_role("status", name="Cut off and lost")).to_contain_text("Andon light of the press does not")
    expect(page.get_by_role("heading", name="All is well")).to_have_count(0)


def test_priority_is_a_word_and_a_numbered_shape_and_not_only_a_colour(page: Page, plant: BoardServer) -> None:
    alarm = plant.do("raise", name="p1", priority="critical")["alarm"]
    open_board(page, plant)
    expect(row(page, alarm)).to_contain_text("Critical")
    expect(row(page, alarm).locator("svg text")).to_have_text("1")


def test_a_text_from_the_log_is_shown_and_never_run(page: Page, plant: BoardServer) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><b>pressure</b>"
    made = plant.do("raise", name="p1", message=evil)
    open_board(page, plant, f"?incident={made['incident']}")
    expect(page.get_by_role("heading", name=evil)).to_be_visible()
    assert page.title() == "Andon · press-shop"


def test_the_chosen_incident_shows_its_trend_commands_and_timeline(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="p1", ago=20)
    plant.do("run", incident="p1", failed=True)
    open_board(page, plant, f"?incident={made['incident']}")
    playbook = page.get_by_role("region", name="Playbook")
    expect(playbook).to_contain_text("Hydraulic press 1: Relief valve → open")
    expect(playbook).to_contain_text("done, read back open after 41 ms")
    expect(playbook).to_contain_text("failed, not confirmed: no answer within 500 ms")
    expect(page.get_by_role("region", name="Timeline")).to_contain_text("opened this incident")
    expect(page.locator(".st-key-trend canvas, .st-key-trend svg.marks").first).to_be_visible(timeout=SOON)


def test_an_alarm_about_a_whole_device_shows_its_story_without_an_empty_trend(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="p1", point="press", message="No data from the press", value=97.0, limit=5, unit="s")
    open_board(page, plant, f"?incident={made['incident']}")
    expect(page.get_by_role("region", name="Timeline")).to_contain_text("No data from the press")
    expect(page.locator(".st-key-trend")).to_have_count(0)


def test_a_refresh_does_not_draw_the_trend_anew(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="p1", ago=20)
    open_board(page, plant, f"?incident={made['incident']}")
    drawn = page.locator(".st-key-trend canvas, .st-key-trend svg.marks").first
    expect(drawn).to_be_visible(timeout=SOON)
    drawn.evaluate("element => { element.dataset.seen = 'yes' }")
    for n in range(3):
        alarm = plant.do("raise", name=f"new{n}", area="shop/cooling", point="cooling.flow")["alarm"]
        expect(row(page, alarm)).to_be_visible(timeout=SOON)
    expect(drawn).to_have_attribute("data-seen", "yes")


# --- choosing --------------------------------------------------------------------------------------------------------


def test_the_choice_stays_on_its_row_while_new_incidents_arrive_on_top(page: Page, plant: BoardServer) -> None:
    plant.do("raise", name="a", message="First", ago=30)
    chosen = plant.do("raise", name="b", message="Second", ago=20)["incident"]
    plant.do("raise", name="c", message="Above it from the start", ago=10)
    open_board(page, plant)
    row(page, chosen).click()
    expect(page.get_by_role("heading", name="Second")).to_be_visible(timeout=SOON)
    for n in range(3):
        newest = plant.do("raise", name=f"new{n}", message=f"New {n}")["incident"]
        top = incidents(page).get_by_role("row").first
        expect(top).to_have_attribute("data-id", f"incident:{newest}", timeout=SOON)
        expect(row(page, chosen)).to_have_attribute("aria-selected", "true")
        expect(page.locator("[role=row][aria-selected=true]")).to_have_count(1)
        expect(page.get_by_role("heading", name="Second")).to_be_visible()
    assert f"incident={chosen}" in page.url


def test_a_link_opens_the_same_incident_in_another_browser(chromium: Browser, page: Page, plant: BoardServer) -> None:
    plant.do("raise", name="a", message="First")
    chosen = plant.do("raise", name="b", message="Second")["incident"]
    open_board(page, plant)
    row(page, chosen).click()
    page.wait_for_url(re.compile(chosen))
    other = chromium.new_context().new_page()
    open_board(other, plant, page.url.removeprefix(plant.url))
    expect(other.get_by_role("heading", name="Second")).to_be_visible()
    other.context.close()


def test_a_link_to_nothing_says_so(page: Page, plant: BoardServer) -> None:
    open_board(page, plant, "?incident=00000000-0000-0000-0000-000000000000")
    expect(page.get_by_role("heading", name="Not in the log")).to_be_visible()


def test_the_keyboard_alone_chooses_an_alarm(page: Page, plant: BoardServer) -> None:
    older = plant.do("raise", name="a", message="Older", ago=10)["alarm"]
    newer = plant.do("raise", name="b", message="Newer")["alarm"]
    open_board(page, plant)
    row(page, newer).focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, older)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Older")).to_be_visible(timeout=SOON)
    assert f"alarm={older}" in page.url
    plant.do("raise", name="c", message="Newest")
    expect(alarms(page).get_by_role("row")).to_have_count(3, timeout=SOON)
    expect(row(page, older)).to_be_focused()


# --- acknowledging ---------------------------------------------------------------------------------------------------


def test_acknowledging_names_the_chosen_alarm_and_no_other(page: Page, plant: BoardServer) -> None:
    plant.do("raise", name="a", message="First", ago=30)
    chosen = plant.do("raise", name="b", message="Second", ago=20)["alarm"]
    plant.do("raise", name="above", message="Above it from the start", ago=10)
    open_board(page, plant)
    row(page, chosen).click()
    expect(page.get_by_role("button", name="Acknowledge this alarm")).to_be_visible(timeout=SOON)
    newest = plant.do("raise", name="c", message="Third")["alarm"]
    expect(row(page, newest)).to_be_visible(timeout=SOON)
    page.get_by_label("Comment").fill("seen on site")
    sign(page)
    page.get_by_role("button", name="Acknowledge this alarm").click()
    expect(page.get_by_text("Acknowledged by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)
    assert plant.do("requests")["requests"] == [
        {"type": "acknowledge_alarm", "alarm": chosen, "comment": "seen on site", "priority": "high", "by": "Ann Lee"}
    ]
    expect(row(page, chosen)).to_contain_text("acknowledged")
    expect(row(page, newest)).to_contain_text("unacknowledged")
    expect(page.get_by_role("button", name="Acknowledge this alarm")).to_have_count(0)


def test_acknowledging_an_incident_names_it(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    plant.do("raise", name="b", area="shop/cooling")
    open_board(page, plant, f"?incident={made['incident']}")
    listed = page.get_by_role("region", name="Alarms").get_by_role("button")
    expect(listed.first).to_be_visible(timeout=SOON)  # what the person has not seen is not acknowledged
    sign(page)
    page.get_by_role("button", name="Acknowledge press 1").click()
    expect(page.get_by_text("Acknowledged by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)
    (asked,) = plant.do("requests")["requests"]
    assert (asked["incident"], asked["seen"]) == (made["incident"], [made["alarm"]])


def test_an_alarm_that_joined_before_the_browser_showed_it_is_not_acknowledged(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a", message="Shown")
    open_board(page, plant, f"?incident={made['incident']}")
    listed = page.get_by_role("region", name="Alarms").get_by_role("button")
    expect(listed).to_have_count(1, timeout=SOON)
    sign(page)
    joined = plant.do("raise", name="b", message="Joined", incident="a")["alarm"]
    plant.signal(signal.SIGSTOP)  # what the page asked for before the press is answered before it, and shows the alarm
    try:
        page.wait_for_timeout(300)
        shown = listed.count()
        page.get_by_role("button", name="Acknowledge press 1").click()
    finally:
        plant.signal(signal.SIGCONT)
    expect(page.get_by_text("Acknowledged by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)
    (asked,) = plant.do("requests")["requests"]
    assert asked["seen"] == [made["alarm"], joined][:shown]
    if shown == 1:
        expect(row(page, joined)).to_contain_text("unacknowledged", timeout=SOON)
        expect(page.get_by_role("button", name="Acknowledge press 1")).to_be_enabled()


def test_an_acknowledgement_is_sent_first_and_acknowledged_only_when_the_log_says_so(
    page: Page, plant: BoardServer
) -> None:
    made = plant.do("raise", name="a")
    plant.do("set", mute=True)
    open_board(page, plant, f"?incident={made['incident']}")
    sign(page)
    page.get_by_role("button", name="Acknowledge press 1").click()
    expect(page.get_by_text("Sent, waiting for the answer…")).to_be_visible(timeout=SOON)
    expect(row(page, made["incident"])).to_contain_text("unacknowledged")
    expect(page.get_by_role("button", name="Acknowledge press 1")).to_be_disabled()


def test_a_refusal_shows_its_reason(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    plant.do("set", refuse="Bea acknowledged it at 14:03:07")
    open_board(page, plant, f"?alarm={made['alarm']}")
    sign(page)
    page.get_by_role("button", name="Acknowledge this alarm").click()
    expect(page.get_by_text("Refused: Bea acknowledged it at 14:03:07")).to_be_visible(timeout=SOON)


def test_without_a_name_nothing_is_sent(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    open_board(page, plant, f"?incident={made['incident']}")
    page.get_by_role("button", name="Acknowledge press 1").click()
    expect(page.get_by_text("Not sent: it needs your name")).to_be_visible(timeout=SOON)
    assert plant.do("requests")["requests"] == []


def test_when_kafka_is_away_the_operator_is_told_not_to_count_on_it(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    plant.do("set", kafka_away=True)
    open_board(page, plant, f"?incident={made['incident']}")
    sign(page)
    page.get_by_role("button", name="Acknowledge press 1").click()
    expect(page.get_by_text("Not sent: Kafka does not answer. Do not count on it.")).to_be_visible(timeout=SOON)


def test_a_half_typed_comment_survives_refreshes_and_new_alarms(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    open_board(page, plant, f"?incident={made['incident']}")
    comment = page.get_by_label("Comment")
    comment.press_sequentially("Relief valve opened by ha")
    for n in range(3):
        alarm = plant.do("raise", name=f"new{n}")["alarm"]
        expect(row(page, alarm)).to_be_visible(timeout=SOON)
        expect(comment).to_have_value("Relief valve opened by ha")
        expect(comment).to_be_focused()
    page.keyboard.type("nd")
    expect(comment).to_have_value("Relief valve opened by hand")


# --- the age of data -------------------------------------------------------------------------------------------------


def test_a_stopped_server_turns_the_board_red_and_a_continued_one_back(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    open_board(page, plant, f"?incident={made['incident']}")
    expect(page.get_by_role("button", name="Acknowledge press 1")).to_be_visible(timeout=SOON)
    assert not is_old(page)
    plant.signal(signal.SIGSTOP)
    try:
        expect(page.get_by_role("alert")).to_contain_text(re.compile(r"DATA IS \d+ s OLD"), timeout=9_000)
        expect(page.get_by_role("alert")).to_contain_text("The board's server does not answer")
        assert is_old(page)
        assert page.get_by_test_id("stForm").evaluate("form => form.inert"), "what is pressed now would act later"
    finally:
        plant.signal(signal.SIGCONT)
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)
    assert not is_old(page)


def test_a_killed_server_turns_the_board_red(
    page: Page, mortal_plant: BoardServer, console_errors: list[str]
) -> None:
    mortal_plant.do("raise", name="a", message="Pressure too high")
    open_board(page, mortal_plant)
    expect(page.get_by_role("row", name="Pressure too high").first).to_be_visible(timeout=SOON)
    assert console_errors == []
    mortal_plant.signal(signal.SIGKILL)
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"DATA IS \d+ s OLD"), timeout=9_000)
    page.wait_for_timeout(3_000)  # Streamlit's own dialog comes now
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_test_id("stDialog")).not_to_be_visible()
    assert is_old(page)
    console_errors.clear()  # 'connection refused' is the browser's own report of the killed server


def test_when_the_log_stands_still_the_board_turns_red_although_its_server_answers(
    page: Page, plant: BoardServer
) -> None:
    open_board(page, plant)
    plant.do("stop_log", ago=13)
    expect(page.get_by_role("alert")).to_contain_text("The event log stands still", timeout=SOON)
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"DATA IS 1\d s OLD"))
    assert is_old(page)
    plant.do("reset")
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)


def test_a_plant_without_readings_is_told_calmly_and_never_called_well(page: Page, plant: BoardServer) -> None:
    plant.do("stop_readings", ago=30)
    open_board(page, plant)
    age = page.get_by_role("status", name="Age of data")
    expect(age).to_contain_text(re.compile(r"data is 3\d s old"))
    plant.do("stop_readings", ago=58)
    expect(age).to_contain_text(re.compile(r"no readings for 6\d s"), timeout=SOON)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert not is_old(page)
    expect(page.get_by_role("heading", name="All is well")).to_have_count(0)


def test_when_the_log_cannot_be_read_the_board_says_why_and_how_old_it_is(page: Page, plant: BoardServer) -> None:
    plant.do("raise", name="a", message="Pressure too high")
    open_board(page, plant)
    expect(page.get_by_role("row", name="Pressure too high").first).to_be_visible(timeout=SOON)
    plant.do("set", broken="connection refused")
    expect(page.get_by_role("alert")).to_contain_text("The event log cannot be read: connection refused", timeout=SOON)
    expect(page.get_by_role("row", name="Pressure too high").first).to_be_visible()


# --- what else can be asked for --------------------------------------------------------------------------------------


def pick(page: Page, label: str) -> None:
    """One of the requests below the acknowledgement."""
    page.get_by_role("group", name="More").or_(page.locator("[data-testid=stButtonGroup]")).first.get_by_text(
        label, exact=True
    ).click()


def test_a_shelved_alarm_leaves_the_list_stands_under_not_announced_and_comes_back(
    page: Page, plant: BoardServer
) -> None:
    made = plant.do("raise", name="a", message="Pressure too high")
    open_board(page, plant, f"?alarm={made['alarm']}")
    expect(page.get_by_role("button", name="Acknowledge this alarm")).to_be_visible(timeout=SOON)
    pick(page, "Shelve")
    page.get_by_label("Reason").fill("guide is being replaced")
    page.get_by_label("Your name").last.fill("Ann Lee")
    page.get_by_role("button", name="Shelve").last.click()
    expect(page.get_by_text("Shelved by Ann Lee: it stands in the log.").first).to_be_visible(timeout=SOON)
    (asked,) = plant.do("requests")["requests"]
    assert (asked["type"], asked["duration_s"], asked["reason"]) == ("shelve_alarm", 900, "guide is being replaced")
    expect(alarms(page).get_by_role("row")).to_have_count(0, timeout=SOON)
    quiet = page.get_by_role("grid", name="Not announced").get_by_role("row")
    expect(quiet).to_contain_text("Ann Lee: guide is being replaced")
    expect(quiet).to_contain_text("shelved, ACTIVE underneath")
    quiet.click()
    pick(page, "Unshelve")
    page.get_by_role("button", name="Unshelve").last.click()
    expect(page.get_by_role("heading", name="Nothing keeps this alarm quiet")).to_be_visible(timeout=SOON)
    expect(alarms(page).get_by_role("row")).to_have_count(1, timeout=SOON)


def test_a_token_gives_a_person_name_and_role_until_it_is_revoked(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a")
    secret = plant.do("token", name="Eva Auditor", role="auditor")["token"]
    open_board(page, plant, f"?alarm={made['alarm']}")
    expect(page.get_by_role("button", name="Acknowledge this alarm")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_role("textbox", name="Token").fill(secret)
    page.get_by_role("button", name="Sign in", exact=True).last.click()
    expect(page.get_by_text("Eva Auditor, auditor")).to_be_visible(timeout=SOON)
    expect(page.get_by_role("button", name="Acknowledge this alarm")).to_have_count(0, timeout=SOON)
    plant.do("revoke", name="Eva Auditor")
    expect(page.get_by_role("button", name="Acknowledge this alarm")).to_be_visible(timeout=SOON)


def test_closing_an_incident_demands_a_cause_and_a_vote_and_names_it(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="a", ago=60, active=False, cleared_at=30, acknowledged=True, acknowledged_at=40)
    plant.do("change", incident="a", status="resolved", resolved_at=20)
    open_board(page, plant, f"?incident={made['incident']}")
    expect(page.get_by_role("button", name="Review (Markdown)")).to_be_visible(timeout=SOON)
    pick(page, "Close")
    page.get_by_label("Cause").fill("regulator stuck")
    page.get_by_label("What was done").fill("replaced")
    sign(page)
    page.get_by_role("button", name="Close").last.click()
    expect(page.get_by_text("Not sent: it needs was the alarm useful?")).to_be_visible(timeout=SOON)
    page.get_by_label("Was the alarm useful?").click()
    page.get_by_role("option", name="no").click()
    page.get_by_role("button", name="Close").last.click()
    expect(page.get_by_text("Closed by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)
    (asked,) = plant.do("requests")["requests"]
    assert (asked["type"], asked["incident"], asked["cause"], asked["useful"]) == (
        "close_incident", made["incident"], "regulator stuck", False,
    )  # fmt: skip


def test_in_a_flood_what_is_held_back_is_counted_and_listed_apart(page: Page, plant: BoardServer) -> None:
    plant.do("raise", name="cause", message="Cooling flow low", first_out=True)
    for n in range(3):
        plant.do("raise", name=f"c{n}", message=f"Consequence {n}", priority="low", held_back=True)
    plant.do("flood")
    open_board(page, plant)
    expect(page.get_by_role("status", name="Cut off and lost")).to_contain_text("Hydraulic press 1, 3 held back")
    expect(alarms(page).get_by_role("row")).to_have_count(1)
    expect(alarms(page).get_by_role("row")).to_contain_text("first out")
    expect(page.get_by_role("grid", name="Not announced").get_by_role("row")).to_have_count(3)


def test_the_handover_reads_out_what_is_open_what_is_quiet_and_what_was_written(page: Page, plant: BoardServer) -> None:
    plant.do("raise", name="a", message="Pressure too high")
    plant.do("hide", name="guard", seconds=3600, reason="switch is broken", message="Guard open")
    plant.do("hand_over", by="Ann Lee", shift="", note="Watch the relief valve", ago=60)
    open_board(page, plant)
    page.get_by_role("button", name="Shift handover").click()
    expect(page.get_by_role("region", name="Open incidents")).to_contain_text("nobody has it", timeout=SOON)
    expect(page.get_by_role("region", name="Kept quiet")).to_contain_text("Ann Lee: switch is broken")
    expect(page.get_by_role("region", name="Handed over before")).to_contain_text("Watch the relief valve")
    page.get_by_role("region", name="Open incidents").get_by_role("button").click()
    expect(page.get_by_role("button", name="Acknowledge press 1")).to_be_visible(timeout=SOON)
