"""Where notifications arrive in tests: a real SMTP server and real webhooks, on loopback."""

from __future__ import annotations

import json
import socket
import threading
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """An SMTP server. Attributes: mails: what arrived; answer: what it says to the next."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.answer = "250 OK"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)
        self._server.start()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content))
        return self.answer

    def url(self, to: str) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=andon@plant.example&to={to}&mode=insecure"

    def texts(self) -> list[str]:
        return ["".join(_text(part) for part in mail.walk() if not part.is_multipart()) for mail in self.mails]

    def close(self) -> None:
        self._server.stop()


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode() if isinstance(payload, bytes) else ""


class Hook:
    """A web server that takes JSON. Attributes: posts: what it took; status: what it says, a number or "hang"; asked:
    how many requests came, whatever it said."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.status: int | str = 200
        self.asked = 0
        self._released = threading.Event()
        hook = self

        class Page(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.asked += 1
                status = hook.status
                if not isinstance(status, int):
                    hook._released.wait(60)
                    return
                if status < 300:
                    hook.posts.append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_address[1]}/alarm"

    def texts(self) -> list[str]:
        return [str(post["message"]).splitlines()[0] for post in self.posts]

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
