"""Commands that other packages bring: imported only when they are called, so that `andon --help` stays quick."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class Brought(NamedTuple):
    """Attributes: target: "module:function", a function with typer's annotations or a whole `typer.Typer`."""

    target: str
    help: str


SUBCOMMANDS: dict[str, Brought] = {
    "alarm": Brought("andon.alarm_cli:app", "What stands; acknowledge, shelve, suppress, reset, take out of service."),
    "incident": Brought("andon.incident_cli:app", "What the shift works on; assign, comment, merge, close, review."),
    "runs": Brought("andon.runs_cli:app", "Playbooks that go on or went; start, cancel, pause, retry."),
    "question": Brought("andon.question_cli:app", "What playbooks wait for people with; answer it."),
    "hands-off": Brought("andon.hands_cli:off", "No playbook acts, no device is moved: in an area, or everywhere."),
    "hands-on": Brought("andon.hands_cli:on", "Playbooks may act again."),
    "token": Brought("andon.token_cli:app", "Who may use the HTTP API."),
    "trace": Brought("andon.trace_cli:main", "Everything about one incident or run, in the order of time."),
    "drill": Brought(
        "andon.drill_cli:main", "Fire drill: a real fault in the example plant, each link of the chain timed."
    ),
    "simulate": Brought("andon.simulate_cli:main", "Play a recording into the simulated devices."),
    "story": Brought("andon.story_cli:main", "Tell a story: readings and requests in, alarms and incidents out."),
    "replay": Brought("andon.replay_cli:main", "What if: the past with other rules, playbooks or points, compared."),
    "playbook": Brought("andon.playbook_commands:app", "Playbooks: lint, explain, test, dry-run, deploy, …"),
    "rules": Brought("andon.rules_cli:app", "Look the alarm definitions over: lint, schema; and reload them."),
    "detect": Brought("detection.cli:main", "Run rules over a recording: which alarms would have come?"),
}


class _Later(TyperCommand):
    """Stands in the list of commands; becomes the real one when it is called."""

    def __init__(self, name: str, brought: Brought) -> None:
        super().__init__(name, help=brought.help)
        self._target = brought.target

    # Contexts and commands are Any: they are of typer's own copy of click, which has no public name.
    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module, _, attribute = self._target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command(self.name, help=self.help if not found.__doc__ else None)(found)
            found = app
        return get_command(found).make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """The commands of `andon.cli`, and those of SUBCOMMANDS behind them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *SUBCOMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in SUBCOMMANDS:
            return _Later(cmd_name, SUBCOMMANDS[cmd_name])
        return super().get_command(ctx, cmd_name)
