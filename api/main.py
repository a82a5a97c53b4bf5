"""Entry point of the API: one uvicorn server on loopback, in this process."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException

import structlog
import uvicorn

from api.app import create_app
from api.service import Service
from bus.running import until_signalled
from config.instance import Instance
from desk.asking import Desk
from desk.log import Log, LogAwayError
from desk.lookup import plant_of
from desk.sending import KafkaSender
from desk.tokens import Tokens
from telemetry.health import Health, healthy, serve_health, unhealthy

HOST = "127.0.0.1"
"""Loopback: who wants it from elsewhere puts a proxy with TLS before it."""
ANSWERS_S = 2.0
LOG_ANSWERS_S = 3.0
_log = structlog.get_logger()


def run(instance: Instance) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    serve(instance, until_signalled())


def serve(instance: Instance, stop: threading.Event) -> None:
    """As `run`, until `stop` is set.

    Raises:
        OSError: a port is taken.
    """
    log = Log(instance.database_url, lambda: plant_of(instance.plant_in_force), timeout_s=LOG_ANSWERS_S)
    sender = KafkaSender(instance.kafka)
    threading.Thread(target=sender.warm_up, name="warm-up", daemon=True).start()
    service = Service(log=log, desk=Desk(sender, log), tokens=Tokens(instance.home), clock=lambda: datetime.now(UTC))
    config = uvicorn.Config(
        create_app(service), host=HOST, port=instance.api_port, log_config=None, access_log=False, lifespan="off",
        server_header=False, timeout_graceful_shutdown=3,
    )  # fmt: skip
    socket = config.bind_socket()
    server = uvicorn.Server(config)
    health = serve_health(instance.health_port("api"), lambda: _health(log, instance.api_port))
    # In a thread of its own: in the main thread uvicorn would take the signals, and raise them again when it has ended.
    thread = threading.Thread(target=server.run, args=([socket],), name="uvicorn", daemon=True)
    thread.start()
    try:
        while thread.is_alive() and not stop.wait(0.2):
            pass
        server.should_exit = True
        thread.join(5.0)
        _log.info("api_stopped")
    finally:
        health.close()
        socket.close()
        sender.close()
        log.close()


def _health(log: Log, port: int) -> Health:
    """Well when the server answers (it may hang) and the log is read."""
    try:
        page = HTTPConnection(HOST, port, timeout=ANSWERS_S)  # not urlopen: it would ask a proxy
        try:
            page.request("GET", "/openapi.json")
            page.getresponse().read()
        finally:
            page.close()
        with log.read():
            return healthy()
    except (OSError, HTTPException) as error:
        return unhealthy(f"the server does not answer: {error}")
    except LogAwayError as error:
        return unhealthy(str(error))
