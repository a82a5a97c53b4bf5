"""One small HTTP thread on loopback: /health for the supervisor and people, /metrics for Prometheus."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

Health: TypeAlias = Mapping[str, object]
"""{"ok": bool, "reasons": [why not, for a person], and any facts worth showing, such as lags}."""


def healthy(**facts: object) -> Health:
    """All is well; `facts` are shown by `andon status`."""
    return {"ok": True, "reasons": [], **facts}


def unhealthy(*reasons: str, **facts: object) -> Health:
    """Something is wrong, for these reasons."""
    return {"ok": False, "reasons": list(reasons), **facts}


class HealthServer:
    """A running server; `close` frees its port."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def serve_health(port: int, check: Callable[[], Health], registry: CollectorRegistry = REGISTRY) -> HealthServer:
    """Serve /health and /metrics on 127.0.0.1 from a thread of its own.

    Args:
        port: 0 takes a free one, see the result's `port`.
        check: called in that thread for every request, so it must only read, and quickly. A process whose loop may
            hang lets it compare the time of the loop's last turn, or the health of a hung process stays good.
            If it raises, that is an unhealthy process, with the error as the reason.

    Raises:
        OSError: the port is taken.
    """

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._reply(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/health":
                health = _ask(check)
                body = json.dumps(dict(health), default=str).encode()
                self._reply(200 if health["ok"] else 503, "application/json", body)
            else:
                self._reply(404, "text/plain", b"/health or /metrics\n")

        def _reply(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A request a second from the board is not worth a line."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True).start()
    return HealthServer(server)


def _ask(check: Callable[[], Health]) -> Health:
    try:
        health = check()
    except Exception as e:  # noqa: BLE001  whatever it is, it is why the process is not well
        return unhealthy(f"the check itself failed: {type(e).__name__}: {e}")
    return health if isinstance(health.get("ok"), bool) else unhealthy('the check gave no "ok"')
