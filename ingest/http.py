"""POST /v1/readings: plain readings (one or a list) over HTTP on loopback, for scripts and simple devices.

    202  Kafka has them all           400  {"errors": [{field, reason}]}: nothing was taken
    413  too large                    503  not confirmed in time: send again, what is repeated is recognised
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from ingest import gateway
from ingest.intake import LARGEST, Refused
from ingest.pump import Post, Pump
from ingest.roster import Roster

PATH = "/v1/readings"
CONFIRM_WITHIN_S = 10.0
_DISCARDED = 64 * LARGEST
_encode = msgspec.json.Encoder().encode


class Intake:
    """A running server on 127.0.0.1; `close` frees its port.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, port: int, roster: Roster, pump: Pump, within_s: float = CONFIRM_WITHIN_S) -> None:
        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if self.path != PATH:
                    self.close_connection = True
                    self._errors(404, Refused("path", f"POST {PATH} is all there is"))
                elif not length.isdigit():
                    self.close_connection = True
                    self._errors(411, Refused("Content-Length", "say how long the body is"))
                elif int(length) > LARGEST:
                    self.close_connection = True
                    self._discard(int(length))
                    self._errors(413, Refused("payload", f"{length} bytes: at most {LARGEST} in one request"))
                else:
                    self._take(self.rfile.read(int(length)))

            def _discard(self, length: int) -> None:
                """Read what is not taken: most clients send all of it before they listen to an answer."""
                left = min(length, _DISCARDED)
                while left and (part := self.rfile.read(min(left, LARGEST))):
                    left -= len(part)

            def _take(self, body: bytes) -> None:
                read = gateway.read(roster, "plain", "", body, time.time_ns() // 1000)
                if read.refused:
                    self._errors(400, *read.refused)
                    return
                done = threading.Event()
                pump.post(Post(read.good, len(body), done.set))
                if done.wait(within_s):
                    self._reply(202, {"taken": len(read.good)})
                else:
                    self._errors(503, Refused("", f"not durable within {within_s:g} s: send it again"))

            def _errors(self, status: int, *refused: Refused) -> None:
                self._reply(status, {"errors": [{"field": r.field, "reason": r.reason} for r in refused]})

            def _reply(self, status: int, body: object) -> None:
                raw = _encode(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Counted by the pump."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Page)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="intake", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
