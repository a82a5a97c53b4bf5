"""The services as we run them: closed to strangers, and keeping what they were given over kill -9."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paho.mqtt.client as paho
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy.engine import make_url

from config.instance import Instance

pytestmark = pytest.mark.integration

NOT_AUTHORIZED = 135
"""MQTT 5 reason code."""


def libpq(url: str, **changes: str) -> str:
    """A SQLAlchemy URL as psycopg wants it, with changes."""
    changed = make_url(url).set(drivername="postgresql", **changes)
    return changed.render_as_string(hide_password=False)


@contextmanager
def mqtt_client(instance: Instance, user: str | None, session: str = "") -> Iterator[paho.Client]:
    """A connected MQTT 5 client; `user` None is an anonymous one. A `session` is kept by the broker."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=session, protocol=paho.MQTTv5)
    if user is not None:
        client.username_pw_set(*instance.mqtt.credentials(user))
    answered = threading.Event()
    refused: list[int] = []

    def on_connect(_c: object, _u: object, _f: object, reason: paho.ReasonCode, _p: object) -> None:
        if reason.is_failure:
            refused.append(reason.value)
        answered.set()

    client.on_connect = on_connect
    inbox: queue.Queue[bytes] = queue.Queue()
    client.user_data_set(inbox)
    client.on_message = lambda _c, _u, message: inbox.put(message.payload)
    properties = Properties(PacketTypes.CONNECT)
    if session:
        properties.SessionExpiryInterval = 3600
    client.connect(instance.mqtt.host, instance.mqtt.port, clean_start=not session, properties=properties)
    client.loop_start()
    try:
        assert answered.wait(10), "the broker did not answer"
        if refused:
            raise PermissionError(refused[0])
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: paho.Client, topic: str, payload: bytes) -> int:
    """Publish with QoS 1; the reason code of the PUBACK."""
    reasons: dict[int, int] = {}
    acked = threading.Event()

    def on_publish(_c: object, _u: object, mid: int, reason: paho.ReasonCode, _p: object) -> None:
        reasons[mid] = reason.value
        acked.set()

    client.on_publish = on_publish
    sent = client.publish(topic, payload, qos=1)
    assert acked.wait(10), "no PUBACK"
    return reasons[sent.mid]


def received(client: paho.Client, topic: str, act: Callable[[], object], wait_s: float = 10) -> bytes | None:
    """What arrives on `topic` after `act`; None when nothing does within `wait_s`."""
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe(topic, qos=1)
    assert subscribed.wait(10)
    act()
    inbox: queue.Queue[bytes] = client.user_data_get()
    try:
        return inbox.get(timeout=wait_s)
    except queue.Empty:
        return None


def test_mqtt_refuses_an_anonymous_client(services: Instance) -> None:
    with pytest.raises(PermissionError) as refusal, mqtt_client(services, None):
        pass
    assert refusal.value.args[0] == NOT_AUTHORIZED


def test_mqtt_refuses_a_wrong_password(services: Instance) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set("bridge", "guess")
    answered, reasons = threading.Event(), []
    client.on_connect = lambda _c, _u, _f, reason, _p: (reasons.append(reason.value), answered.set())
    client.connect(services.mqtt.host, services.mqtt.port)
    client.loop_start()
    assert answered.wait(10)
    client.loop_stop()
    assert reasons == [NOT_AUTHORIZED]


def test_an_edge_publishes_upwards_on_its_own_branch_only(services: Instance) -> None:
    with mqtt_client(services, "edge-1") as edge:
        assert publish(edge, "andon/v1/edge-1/up/frames", b"x") != NOT_AUTHORIZED
        assert publish(edge, "andon/v1/edge-2/up/frames", b"x") == NOT_AUTHORIZED
        assert publish(edge, "andon/v1/edge-1/down/commands", b"x") == NOT_AUTHORIZED
        assert publish(edge, "neuron/press/upload", b"x") == NOT_AUTHORIZED


def test_an_edge_hears_its_own_commands_and_nobody_elses(services: Instance) -> None:
    with mqtt_client(services, "bridge") as bridge, mqtt_client(services, "edge-1") as edge:
        topic = "andon/v1/edge-1/down/commands"
        own = received(edge, topic, lambda: publish(bridge, topic, b"go"))
        assert own == b"go"
    with mqtt_client(services, "bridge") as bridge, mqtt_client(services, "edge-1") as edge:
        foreign = received(
            edge, "andon/v1/edge-2/down/#", lambda: publish(bridge, "andon/v1/edge-2/down/commands", b"go"), wait_s=0.5
        )
        assert foreign is None


def test_the_monitor_reads_but_never_writes(services: Instance) -> None:
    with mqtt_client(services, "gateway") as gateway, mqtt_client(services, "monitor") as monitor:
        assert received(monitor, "neuron/#", lambda: publish(gateway, "neuron/press/upload", b"{}")) == b"{}"
        assert publish(monitor, "neuron/press/upload", b"{}") == NOT_AUTHORIZED


def test_a_gateway_cannot_pose_as_an_edge(services: Instance) -> None:
    with mqtt_client(services, "gateway") as gateway:
        assert publish(gateway, "andon/v1/edge-1/up/frames", b"x") == NOT_AUTHORIZED


def test_mqtt_carries_sixteen_megabytes(services: Instance) -> None:
    payload = bytes(16 * 1024 * 1024 - 1024)
    with mqtt_client(services, "edge-1") as edge, mqtt_client(services, "bridge") as bridge:
        arrived = received(
            bridge, "andon/v1/edge-1/up/large", lambda: publish(edge, "andon/v1/edge-1/up/large", payload)
        )
    assert arrived is not None
    assert len(arrived) == len(payload)


def test_mqtt_delivers_what_waited_for_a_cut_off_edge_over_kill_9(stack) -> None:
    instance: Instance = stack.instance
    if "mosquitto" not in stack.children:
        pytest.skip("ANDON_MQTT_URL is set: not ours to kill")
    with mqtt_client(instance, "edge-3", session="edge-3-session") as edge:
        received(edge, "andon/v1/edge-3/down/#", lambda: None, wait_s=0.01)
    with mqtt_client(instance, "bridge") as bridge:
        publish(bridge, "andon/v1/edge-3/down/commands", b"kept")
        _until_saved(stack)
    stack.kill("mosquitto")
    stack.restart("mosquitto")
    with mqtt_client(instance, "edge-3", session="edge-3-session") as edge:
        assert received(edge, "andon/v1/edge-3/down/#", lambda: None) == b"kept"


def _until_saved(stack) -> None:
    """The broker saves a change within a second (autosave_interval 1)."""
    store = stack.instance.home / "mosquitto" / "mosquitto.db"
    for _ in range(100):
        if store.exists() and b"kept" in store.read_bytes():
            return
        threading.Event().wait(0.05)
    raise AssertionError("mosquitto did not save the message in 5 s")


def test_postgres_wants_the_password(services: Instance) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed"):
        psycopg.connect(libpq(services.database_url, password="guess"))
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(libpq(services.database_url, username="postgres", password="guess"))


def test_postgres_gives_the_user_a_database_with_timescale_and_no_superuser(database: str) -> None:
    with psycopg.connect(libpq(database)) as connection:
        connection.execute("CREATE TABLE t (time timestamptz NOT NULL, v float8)")
        connection.execute("SELECT create_hypertable('t', by_range('time'))")
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_postgres_keeps_what_was_committed_over_kill_9(stack, database: str) -> None:
    with psycopg.connect(libpq(database)) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    stack.kill("timescale")
    stack.restart("timescale")
    with psycopg.connect(libpq(database)) as connection:
        assert connection.execute("SELECT count(*), sum(n) FROM kept").fetchone() == (1000, 500500)


def test_kafka_keeps_what_was_acknowledged_over_kill_9(stack, topics: Callable[[str], str]) -> None:
    instance: Instance = stack.instance
    if "kafka" not in stack.children:
        pytest.skip("ANDON_KAFKA is set: not ours to kill")
    topic = topics("kept")
    admin = AdminClient({"bootstrap.servers": instance.kafka})
    for done in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        done.result(20)
    producer = Producer({"bootstrap.servers": instance.kafka, "acks": "all", "enable.idempotence": True})
    failures: list[object] = []
    for n in range(2000):
        producer.produce(topic, str(n).encode(), on_delivery=lambda e, _m: failures.append(e) if e else None)
        producer.poll(0)
    assert producer.flush(20) == 0
    assert failures == []
    stack.kill("kafka")
    stack.restart("kafka")

    consumer = Consumer({"bootstrap.servers": instance.kafka, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[int] = []
    while len(values) < 2000 and (batch := consumer.consume(500, timeout=20)):
        assert all(message.error() is None for message in batch)
        values += [int(message.value()) for message in batch]
    consumer.close()
    admin.delete_topics([topic])[topic].result(20)
    assert values == list(range(2000))


def test_kafka_takes_a_record_of_sixteen_megabytes_and_no_unknown_topic(
    services: Instance, topics: Callable[[str], str]
) -> None:
    topic = topics("large")
    admin = AdminClient({"bootstrap.servers": services.kafka})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": services.kafka, "message.max.bytes": 20_000_000})
    outcomes: dict[str, object] = {}
    producer.produce(topic, bytes(16 * 1024 * 1024), on_delivery=lambda e, _m: outcomes.update(large=e))
    assert producer.flush(20) == 0
    assert outcomes == {"large": None}
    assert topics("typing-error") not in admin.list_topics(timeout=10).topics
    admin.delete_topics([topic])[topic].result(20)


def test_the_passwords_are_readable_by_the_owner_alone(services: Instance) -> None:
    assert (services.home / "credentials.json").stat().st_mode & 0o077 == 0
    assert (services.home / "timescale" / "data").stat().st_mode & 0o077 == 0
    assert (services.home / "mosquitto" / "passwords").stat().st_mode & 0o077 == 0
