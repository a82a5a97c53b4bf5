"""What playbooks ask and do, and hands off, as an operator meets them: a real browser, a scripted log behind it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import BoardServer
from tests.browser.test_board import SOON, is_old, open_board, pick, row, sign

pytestmark = pytest.mark.browser


def waiting(page: Page) -> Locator:
    return page.get_by_role("grid", name="Waiting for you").get_by_role("row")


def asked(plant: BoardServer) -> list[dict[str, object]]:
    return list(plant.do("requests")["requests"])


def sign_in(page: Page, plant: BoardServer, name: str, role: str) -> None:
    secret = plant.do("token", name=name, role=role)["token"]
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_role("textbox", name="Token").fill(secret)
    page.get_by_role("button", name="Sign in", exact=True).last.click()
    expect(page.get_by_text(f"{name}, {role}")).to_be_visible(timeout=SOON)
    page.keyboard.press("Escape")


# --- waiting for you -------------------------------------------------------------------------------------------------


def test_a_question_is_chosen_from_the_list_and_its_answer_names_it(page: Page, plant: BoardServer) -> None:
    open_board(page, plant)
    expect(page.get_by_role("grid", name="Waiting for you")).to_have_count(0)
    question = plant.do("ask", left=3000)["question"]
    plant.do("ask", name="sooner", text="Another one", left=90)
    expect(waiting(page)).to_have_count(2, timeout=SOON)
    expect(waiting(page).first).to_contain_text(re.compile(r"(\d+ s|1:\d\d min) left"))
    row(page, question).click()
    expect(page.get_by_role("heading", name="Open the bypass?")).to_be_visible(timeout=SOON)
    page.get_by_label("Comment").fill("seen on site")
    sign(page)
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(page.get_by_text("Answered “Yes” by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)
    assert asked(plant) == [
        {"type": "answer_question", "question": question, "answer": "yes", "comment": "seen on site", "ticked": [],
         "by": "Ann Lee"}
    ]  # fmt: skip
    expect(waiting(page)).to_have_count(1, timeout=SOON)
    expect(page.get_by_text("decided: yes")).to_be_visible(timeout=SOON)


def test_four_eyes_need_a_second_person_and_a_refusal_is_shown_in_words(page: Page, plant: BoardServer) -> None:
    question = plant.do("ask", four_eyes=True)["question"]
    open_board(page, plant, f"?question={question}")
    sign(page)
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(waiting(page)).to_contain_text("Ann Lee said yes, a second person is needed", timeout=SOON)
    plant.do("set", refuse="Ann Lee said yes already: another person must")
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(page.get_by_text("Refused: Ann Lee said yes already: another person must")).to_be_visible(timeout=SOON)
    plant.do("set", refuse="")
    sign(page, "Ben Okoro")
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(waiting(page)).to_have_count(0, timeout=SOON)


def test_what_only_a_supervisor_may_answer_is_not_offered_to_an_operator(page: Page, plant: BoardServer) -> None:
    question = plant.do("ask", role="supervisor")["question"]
    open_board(page, plant, f"?question={question}")
    expect(page.get_by_text("needs the role supervisor or higher")).to_be_visible(timeout=SOON)
    expect(page.get_by_role("button", name="Yes", exact=True)).to_have_count(0)
    sign_in(page, plant, "Sam Roy", "supervisor")
    expect(page.get_by_role("button", name="Yes", exact=True)).to_be_visible(timeout=SOON)


def test_a_task_is_done_only_when_its_checklist_is_ticked_off(page: Page, plant: BoardServer) -> None:
    question = plant.do("ask", kind="task", text="Replace the seal", checklist=["isolated", "tested"])["question"]
    open_board(page, plant, f"?question={question}")
    sign(page)
    page.get_by_text("isolated", exact=True).click()
    page.get_by_role("button", name="Done", exact=True).click()
    expect(page.get_by_text("Not sent: not ticked off: tested.")).to_be_visible(timeout=SOON)
    assert asked(plant) == []
    page.get_by_text("tested", exact=True).click()
    page.get_by_role("button", name="Done", exact=True).click()
    expect(waiting(page)).to_have_count(0, timeout=SOON)
    assert asked(plant)[0]["ticked"] == ["isolated", "tested"]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_of_an_incident_leads_to_its_trace_and_is_cancelled_with_a_reason(page: Page, plant: BoardServer) -> None:
    made = plant.do("raise", name="p1", ago=30)
    run = plant.do("go", incident="p1", left=300)["run"]
    open_board(page, plant, f"?incident={made['incident']}")
    page.get_by_role("button", name="Run Relieve the press and slow it down").click()
    steps = page.get_by_role("region", name="Steps")
    expect(steps).to_contain_text("attempt 2: running", timeout=SOON)
    expect(steps).to_contain_text("failed, not confirmed: no answer within 2 s")
    expect(steps).to_contain_text("only if drive.ready")
    expect(steps).to_contain_text("min left")
    expect(page.get_by_role("region", name="Why and how")).to_contain_text("Hydraulic pressure too high")
    assert f"run={run}" in page.url
    pick(page, "Cancel")
    page.get_by_label("Reason").fill("wrong press")
    sign(page)
    page.get_by_role("button", name="Cancel").last.click()
    expect(page.get_by_text("Cancelled by Ann Lee: it stands in the log.")).to_be_visible(timeout=SOON)
    assert asked(plant) == [{"type": "cancel_run", "run": run, "reason": "wrong press", "by": "Ann Lee"}]


def test_a_supervisor_tries_a_failed_run_again_from_a_step(page: Page, plant: BoardServer) -> None:
    run = plant.do("go", failed=True, ago=60)["run"]
    open_board(page, plant, f"?run={run}")
    expect(page.get_by_text("nobody knows whether the drive turns slower")).to_be_visible(timeout=SOON)
    expect(page.get_by_role("region", name="Steps")).to_contain_text("undo")
    sign_in(page, plant, "Sam Roy", "supervisor")
    pick(page, "Try again")
    page.get_by_label("From step").click()
    page.get_by_role("option", name="slow").click()
    page.get_by_label("Reason").fill("drive repaired")
    page.get_by_role("button", name="Try again").last.click()
    expect(page.get_by_text("Taken up by a new run by Sam Roy")).to_be_visible(timeout=SOON)
    assert asked(plant) == [
        {"type": "retry_run", "run": run, "step": "slow", "reason": "drive repaired", "by": "Sam Roy"}
    ]  # fmt: skip


def test_an_operator_starts_a_playbook_that_may_be_asked_for_and_sees_no_other(page: Page, plant: BoardServer) -> None:
    plant.do("go", left=300)
    open_board(page, plant)
    page.get_by_role("button", name="Playbooks (1)").click()
    expect(page.get_by_role("region", name="Running now")).to_contain_text("step slow, attempt 2", timeout=SOON)
    page.get_by_label("A playbook to start").click()
    expect(page.get_by_role("option")).to_have_count(1)
    page.get_by_role("option", name="Flush the hydraulics").click()
    pick(page, "Start")
    sign(page)
    page.get_by_role("button", name="Start").last.click()
    expect(page.get_by_text("press_flush was started by Ann Lee")).to_be_visible(timeout=SOON)
    assert asked(plant) == [
        {"type": "start_run", "playbook": "press_flush", "incident": None, "reason": "", "by": "Ann Lee"}
    ]  # fmt: skip


# --- hands off -------------------------------------------------------------------------------------------------------


def banner(page: Page) -> Locator:
    return page.get_by_role("region", name="Hands off")


def test_two_clicks_and_a_reason_stop_all_areas_and_the_banner_says_who_and_why(page: Page, plant: BoardServer) -> None:
    open_board(page, plant)
    expect(banner(page)).not_to_be_visible()
    page.get_by_role("button", name="Hands off").click()
    page.get_by_label("Reason").fill("somebody stands in the press")
    sign(page)
    page.get_by_role("button", name="Stop acting").click()
    expect(banner(page)).to_contain_text("HANDS OFF", timeout=SOON)
    expect(banner(page)).to_contain_text("All areas")
    expect(banner(page)).to_contain_text(re.compile(r"by Ann Lee at \d\d:\d\d:\d\d: somebody stands in the press"))
    sent = asked(plant)
    assert len(sent) > 1 and {(r["type"], r["by"]) for r in sent} == {("stop_acting", "Ann Lee")}
    expect(page.get_by_role("heading", name="All is well")).to_have_count(0)
    box = banner(page).bounding_box()
    assert box is not None and box["width"] > 1200 and box["height"] > 50, "nobody overlooks it"


def test_without_a_reason_nothing_is_stopped_and_the_page_says_so(page: Page, plant: BoardServer) -> None:
    open_board(page, plant)
    page.get_by_role("button", name="Hands off").click()
    sign(page)
    page.get_by_role("button", name="Stop acting").click()
    expect(page.get_by_text("Not sent: it needs a reason.")).to_be_visible(timeout=SOON)
    assert asked(plant) == []


def test_only_a_supervisor_lets_playbooks_act_again(page: Page, plant: BoardServer) -> None:
    plant.do("off", areas=["shop/press"], by="Ann Lee", reason="repair")
    open_board(page, plant)
    expect(banner(page)).to_contain_text("Hydraulic press 1")
    page.get_by_role("button", name="HANDS OFF").click()
    expect(page.get_by_text("A supervisor or an engineer may allow it again")).to_be_visible(timeout=SOON)
    page.keyboard.press("Escape")
    sign_in(page, plant, "Sam Roy", "supervisor")
    page.get_by_role("button", name="HANDS OFF").click()
    page.get_by_role("button", name="Allow acting again").click()
    expect(banner(page)).not_to_be_visible(timeout=SOON)
    assert [(r["type"], r["by"]) for r in asked(plant)] == [("allow_acting", "Sam Roy")]


def test_hands_off_can_be_asked_for_while_the_log_stands_still(page: Page, plant: BoardServer) -> None:
    open_board(page, plant)
    plant.do("stop_log", ago=30)
    expect(page.get_by_role("alert")).to_contain_text("The event log stands still", timeout=SOON)
    assert is_old(page)
    page.get_by_role("button", name="Hands off").click()
    page.get_by_label("Reason").fill("the log is away")
    sign(page)
    page.get_by_role("button", name="Stop acting").click()
    expect(banner(page)).to_be_visible(timeout=SOON)
