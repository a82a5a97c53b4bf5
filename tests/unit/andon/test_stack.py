"""The stack without its services: ports, accounts, messages, and what is written for the services to read."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from andon.stack import kafka_jars
from andon.stack.accounts import Account, require_traversable
from andon.stack.debian import UnpackError, built_once
from andon.stack.errors import FetchError, NotTraversableError, PortTakenError, ServiceDiedError
from andon.stack.kafka import metadata_lists_a_node
from andon.stack.mosquitto import Mosquitto
from andon.stack.process import Child, Command, end_processes, require_free, spawn, start_ticks, tail
from andon.stack.services import start_all
from andon.stack.timescale import Timescale


class Toy:
    """A service that is one line of Python."""

    name = "toy"
    ports: tuple[int, ...] = ()

    def __init__(self, folder: Path, code: str, ready: str = "ready") -> None:
        self.log = folder / "toy.log"
        self._folder, self._code, self._ready = folder, code, ready

    def build(self, say: object) -> None: ...

    def prepare(self) -> None: ...

    def command(self) -> Command:
        return Command(name=self.name, argv=(sys.executable, "-c", self._code), cwd=self._folder, log=self.log)

    def answers(self) -> bool:
        return self._ready in tail(self.log)

    def settle(self) -> None: ...


def test_a_taken_port_is_named_with_the_remedy() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"port {port}.*--port-base"):
            require_free(port, "kafka")
    require_free(port, "kafka")


def test_a_failed_fetch_names_three_ways_out() -> None:
    said = str(FetchError("Kafka", "no network", variable="ANDON_KAFKA", package="the package maven"))
    assert "no network" in said
    assert all(way in said for way in ("ANDON_KAFKA", "docker compose up", "the package maven"))


def test_a_closed_parent_folder_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = Account("stranger", uid=os.getuid() + 4242, gid=os.getgid() + 4242)
    for folder in (tmp_path, *tmp_path.parents[:-1]):  # pytest's own folders are closed to others, too
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            with pytest.raises(NotTraversableError) as refusal:
                require_traversable(closed / "data", stranger)
            assert refusal.value.account == "stranger"
            assert "--home" in str(refusal.value)
            return
    with pytest.raises(NotTraversableError, match="closed"):
        require_traversable(closed / "data", stranger)


def test_a_child_leaves_by_the_signal_it_was_promised(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); print('ready', flush=True); "
    )
    toy = Toy(tmp_path, code + "time.sleep(60)")
    command = Command(
        name="toy", argv=toy.command().argv, cwd=tmp_path, log=toy.log, stop_signal=signal.SIGINT, env={"LC_ALL": "C"}
    )
    child = spawn(command)
    while not toy.answers():
        assert child.exit_code() is None
    assert child.stop(10) == 7
    assert start_ticks(child.pid) == ""


def test_a_service_that_dies_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "raise SystemExit('no more room')")
    with pytest.raises(ServiceDiedError, match="no more room") as death:
        start_all([toy], lambda _: None)
    assert (death.value.name, death.value.exit_code) == ("toy", 1)


def test_when_one_service_fails_the_others_are_stopped_again(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    good = Toy(tmp_path / "good", "import os, time; print('ready', os.getpid(), flush=True); time.sleep(60)")
    bad = Toy(tmp_path, "raise SystemExit(1)")
    bad.name = "bad"
    with pytest.raises(ServiceDiedError):
        start_all([good, bad], lambda _: None)
    words = tail(good.log).split()
    assert not words or start_ticks(int(words[1])) == ""


def test_a_pid_that_was_given_to_another_process_is_left_alone() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    end_processes({sleeper.pid: ("1", signal.SIGKILL), os.getpid(): ("", signal.SIGKILL)})
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()


def test_a_log_that_grew_large_is_set_aside(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "print('ready', flush=True)")
    toy.log.write_bytes(bytes(10_000_001))
    child: Child = spawn(toy.command())
    child.stop(10)
    assert toy.log.with_suffix(".log.1").stat().st_size == 10_000_001
    assert toy.log.stat().st_size < 100


def test_a_half_built_folder_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    with pytest.raises(UnpackError), built_once(runtime, "v1") as work:
        assert work is not None
        (work / "half").touch()
        raise UnpackError("cut off")
    assert not runtime.exists()
    with built_once(runtime, "v1") as work:
        assert work is not None
        assert not (work / "half").exists()
        (work / "whole").touch()
    with built_once(runtime, "v1") as work:
        assert work is None
    with built_once(runtime, "v2") as work:
        assert work is not None


def test_the_lock_names_each_jar_with_a_sha256() -> None:
    jars = kafka_jars.locked_jars()
    assert "org.apache.kafka:kafka_2.13:4.3.1" in jars
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in jars.values())
    assert len({kafka_jars.jar_name(coordinate) for coordinate in jars}) == len(jars)


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"# comment\ng:a:1 {hashlib.sha256(b'right').hexdigest()}\n")
    monkeypatch.setattr(kafka_jars, "LOCK", lock)
    monkeypatch.setattr(kafka_jars, "_with_mvn", lambda _coordinates, _libs: "mvn is not here")
    monkeypatch.setattr(kafka_jars, "_with_jgo", lambda _c, libs, _why: (libs / "a-1.jar").write_bytes(b"wrong"))
    with pytest.raises(FetchError, match="SHA-256 differs"):
        kafka_jars.fetch(tmp_path / "libs")


def _hang_up(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.close()


def test_a_port_that_is_bound_but_does_not_speak_kafka_is_not_ready() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=_hang_up, args=(server,), daemon=True).start()
        assert not metadata_lists_a_node("127.0.0.1", server.getsockname()[1])


@pytest.mark.parametrize(("nodes", "ready"), [(0, False), (1, True)])
def test_a_broker_is_ready_when_its_metadata_lists_a_node(nodes: int, ready: bool) -> None:
    body = struct.pack(">ii", 1, nodes)

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        connection.recv(1024)
        connection.sendall(struct.pack(">i", len(body)) + body)
        connection.close()

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        assert metadata_lists_a_node("127.0.0.1", server.getsockname()[1]) is ready


def test_mosquitto_gets_no_password_in_clear_and_lets_nobody_in_without(short_home: Path) -> None:
    folder = short_home / "mosquitto"
    users = {"bridge": "open-sesame"}
    Mosquitto(runtime=short_home, folder=folder, log=short_home / "m.log", port=1, passwords=users).prepare()
    files = {file.name: file.read_text() for file in folder.iterdir()}
    assert all("open-sesame" not in text for text in files.values())
    assert "allow_anonymous false" in files["mosquitto.conf"]
    _, kind, iterations, salt, digest = files["passwords"].strip().split("$")
    again = hashlib.pbkdf2_hmac("sha512", b"open-sesame", base64.b64decode(salt), int(iterations), dklen=64)
    assert (kind, base64.b64decode(digest)) == ("7", again)


def test_a_socket_path_that_would_be_too_long_goes_to_a_short_folder(tmp_path: Path) -> None:
    def server(folder: Path) -> Timescale:
        return Timescale(runtime=tmp_path, folder=folder, log=tmp_path / "t.log", port=19092, password="x")

    deep = tmp_path / ("d" * 100)
    assert server(Path("/srv/andon/timescale")).socket_folder == Path("/srv/andon/timescale/socket")
    assert len(str(server(deep).socket_folder)) < 80
    assert server(deep).socket_folder != server(tmp_path / ("e" * 100)).socket_folder
