"""`andon simulate`: plays a recording into the simulated devices of an instance, or makes one of them fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from andon import instance as instances
from andon.cli import Home
from devices.simulator.play import play_file, start_fault


def main(
    recording: Annotated[Path | None, typer.Option(help="CSV file: first column time, header with names.")] = None,
    speed: Annotated[float, typer.Option(help="How many times faster than recorded.")] = 1.0,
    fault: Annotated[str, typer.Option(help="In place of a recording: gas_leak, fire, … until --fault none.")] = "",
    point: Annotated[str, typer.Option(help="Of --fault stuck_sensor.")] = "",
    device: Annotated[
        str, typer.Option(help="Whose points; default: the device that matches most columns. Of --fault silent: whose.")
    ] = "",
    map: Annotated[str, typer.Option(help="column=point,… instead of matching by name.")] = "",
    home: Home = None,
) -> None:
    """Play a recording into the simulated devices, as if it happened now; or let a fault begin."""
    if (recording is None) == (not fault):
        raise typer.BadParameter("give either --recording or --fault")
    if not 0 < speed < float("inf"):
        raise typer.BadParameter("must be greater than 0", param_hint="--speed")
    port = instances.load(home or instances.default_home()).simulator_port
    if recording is None:
        start_fault(port, fault, point=point, device=device)
    else:
        play_file(recording, port, speed=speed, device=device, map=map)
