"""A private single-node Apache Kafka (KRaft) on loopback: jars and a Java, no root, nothing installed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from andon.stack import kafka_jars
from andon.stack.debian import Say, built_once
from andon.stack.errors import NotReadyError, ServiceDiedError
from andon.stack.java import Java, find_java
from andon.stack.process import Command, spawn, tail

_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")

_PROPERTIES = """\
# written at every start
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={data}
num.network.threads=2
num.io.threads=4
# one broker: the internal topics cannot be replicated, and few partitions start and recover faster
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# topics are created with their partition counts by us, never by a client's typing error
auto.create.topics.enable=false
# a dead worker is noticed after its session timeout: let workers ask for less than Kafka's 6 s
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
# after kill -9 the restarted broker must wait until its former self's session has run out (9 s by default)
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# an edge's frames after a long outage
message.max.bytes=20971520
replica.fetch.max.bytes=20971520
"""

_LOG4J2 = """\
status=warn
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={logs}/server.log
appender.file.filePattern={logs}/server.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}} %p %c{{1}} %m%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=5
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
"""


class Kafka:
    """The broker in `folder`, on `port`; its controller listens on the next port."""

    name = "kafka"

    def __init__(self, *, runtime: Path, folder: Path, log: Path, port: int) -> None:
        self.runtime, self.folder, self.log, self.port = runtime / "kafka", folder, log, port
        self.ports: tuple[int, ...] = (port, port + 1)

    def build(self, say: Say) -> None:
        """Fetch the jars and make the start-up archive, unless both are here for this lock and this Java.

        Raises:
            FetchError: the jars or a Java could not be had.
        """
        java = find_java()
        lock = hashlib.sha256(kafka_jars.LOCK.read_bytes()).hexdigest()
        java_stamp = json.dumps({"lock": lock, "java": java.program, "major": java.major, "jvm": _JVM})
        with built_once(self.runtime, lock) as work:
            if work is not None:
                say("kafka: fetching 46 jars (45 MB)")
                kafka_jars.fetch(work / "libs")
        # In a folder of its own: the archive stores the jars' final path, and fits one Java only.
        with built_once(self.runtime.with_name("kafka-archive"), java_stamp) as work:
            if work is not None:
                say("kafka: one training run, so that later starts take a third of the time")
                self._train(java, work / "classes.aot")
                (work / "java.json").write_text(json.dumps({"program": java.program, "major": java.major}))

    def prepare(self) -> None:
        """Write the configuration; format the data folder once."""
        logs, data = self.folder / "logs", self.folder / "data"
        logs.mkdir(parents=True, exist_ok=True)
        properties = _PROPERTIES.format(port=self.port, controller=self.port + 1, data=data)
        (self.folder / "server.properties").write_text(properties)
        (self.folder / "log4j2.properties").write_text(_LOG4J2.format(logs=logs))
        if not (data / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")
            options = ("format", "--standalone", "--cluster-id", cluster, "--config")
            argv = self._argv("kafka.tools.StorageTool", *options, str(self.folder / "server.properties"))
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ServiceDiedError(self.name, done.returncode, self.folder, done.stderr[-800:])

    def command(self, extra: Sequence[str] = ()) -> Command:
        argv = self._argv("kafka.Kafka", str(self.folder / "server.properties"), extra=extra)
        return Command(name=self.name, argv=argv, cwd=self.folder, log=self.log)

    def answers(self) -> bool:
        return metadata_lists_a_node("127.0.0.1", self.port)

    def settle(self) -> None:
        """Nothing is to be set up after the first start; topics are bus.topics' work."""

    def _argv(self, main: str, *args: str, extra: Sequence[str] = ()) -> tuple[str, ...]:
        java, cache = self._java()
        classpath = ":".join(str(self.runtime / "libs" / kafka_jars.jar_name(c)) for c in kafka_jars.locked_jars())
        log4j = f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties"
        return (java.program, *_JVM, *cache, *extra, log4j, "-cp", classpath, main, *args)

    def _java(self) -> tuple[Java, list[str]]:
        """The Java that the archive was made with, and the option to use the archive; any Java while there is none."""
        archive = self.runtime.with_name("kafka-archive")
        if not (archive / "java.json").exists():
            return find_java(), []
        java = Java(**json.loads((archive / "java.json").read_text()))
        option = "AOTCache" if java.major >= 25 else "SharedArchiveFile"
        return java, [f"-XX:{option}={archive}/classes.aot"]

    def _train(self, java: Java, archive: Path) -> None:
        """Run a throw-away broker once and keep its loaded classes.

        The JVM checks the archive against itself and the class path, and ignores one that does not fit.
        """
        option = "AOTCacheOutput" if java.major >= 25 else "ArchiveClassesAtExit"
        with tempfile.TemporaryDirectory() as folder:
            broker = Kafka(
                runtime=self.runtime.parent, folder=Path(folder), log=Path(folder, "jvm.log"), port=_free_pair()
            )
            broker.prepare()
            child = spawn(broker.command(extra=[f"-XX:{option}={archive}"]))
            try:
                deadline = time.monotonic() + 60
                while not broker.answers():
                    if (code := child.exit_code()) is not None:
                        raise ServiceDiedError("kafka (training run)", code, broker.log, tail(broker.log))
                    if time.monotonic() > deadline:
                        raise NotReadyError("kafka (training run)", 60, broker.log)
                    time.sleep(0.05)
            finally:
                child.stop(60)


def metadata_lists_a_node(host: str, port: int) -> bool:
    """Whether a broker answers a Metadata request (v1, no topics) and lists a live node.

    A bound port is not enough: before it is registered and unfenced the broker lists none.
    """
    request = struct.pack(">hhih5si", 3, 1, 1, 5, b"andon", 0)
    try:
        with socket.create_connection((host, port), 1) as s:
            s.settimeout(2)
            s.sendall(struct.pack(">i", len(request)) + request)
            size: int = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))[0]
            body = s.recv(size, socket.MSG_WAITALL)
            nodes: int = struct.unpack(">i", body[4:8])[0]
            return nodes > 0
    except (OSError, struct.error):
        return False


def _free_pair() -> int:
    """A port P with P and P + 1 free just now."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
