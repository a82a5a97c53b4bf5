"""Entry point of the board: one Streamlit server on loopback, in this process."""

from __future__ import annotations

import gc
import threading
import tomllib
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from streamlit.web import bootstrap

from board.service import Service, provide
from board.source import LiveSource
from config.instance import Instance
from desk.sending import KafkaSender
from desk.tokens import Tokens
from devices.plant import load_plant
from telemetry.health import Health, healthy, serve_health, unhealthy

HERE = Path(__file__).parent
COLLECT_EVERY_S = 60.0
PAGE_ANSWERS_S = 2.0


def run(instance: Instance) -> None:
    """Serve the board until SIGTERM or SIGINT."""
    plant, _ = load_plant(instance.plant_in_force)
    sender = KafkaSender(instance.kafka)
    threading.Thread(target=sender.warm_up, name="warm-up", daemon=True).start()
    source = LiveSource(instance.database_url, tuple(plant.areas))
    try:
        service = Service(source=source, plant=plant, sender=sender, tokens=Tokens(instance.home))
        serve(service, instance.board_port, instance.health_port("board"))
    finally:
        sender.close()
        source.close()


def serve(service: Service, port: int, health_port: int) -> None:
    """Serve `service` on 127.0.0.1:`port`; returns after SIGTERM or SIGINT. Needs the main thread."""
    provide(service)
    stop = threading.Event()
    threading.Thread(target=_collect, args=(stop,), name="collect", daemon=True).start()
    health = serve_health(health_port, lambda: _health(service, port))
    flags = {**_flags(HERE / ".streamlit" / "config.toml"), "server_address": "127.0.0.1", "server_port": port}
    try:
        bootstrap.load_config_options(flag_options=flags)
        bootstrap.run(str(HERE / "app.py"), False, [], flags)
    finally:
        stop.set()
        health.close()


def _flags(config: Path) -> dict[str, object]:
    """config.toml as Streamlit's command line flags, so that it counts whatever the working directory is."""
    sections = tomllib.loads(config.read_text("utf-8"))
    return {f"{section}_{name}": value for section, options in sections.items() for name, value in options.items()}


def _collect(stop: threading.Event) -> None:
    """Streamlit's own collection after every refresh is off (it costs 130 ms each): once a minute is enough."""
    while not stop.wait(COLLECT_EVERY_S):
        gc.collect()


def _health(service: Service, port: int) -> Health:
    """Well when the page's own server answers (it starts later than this one, and may hang) and the log is read."""
    try:
        page = HTTPConnection("127.0.0.1", port, timeout=PAGE_ANSWERS_S)  # not urlopen: it would ask a proxy
        try:
            page.request("GET", "/_stcore/health")
            status = page.getresponse().status
        finally:
            page.close()
    except (OSError, HTTPException) as error:
        return unhealthy(f"the page's server does not answer: {error}")
    if status != HTTPStatus.OK:
        return unhealthy(f"the page's server answers with {status}")
    view = service.look()
    if view.error:
        return unhealthy(view.error)
    return healthy(read_at=view.read_at.isoformat())
