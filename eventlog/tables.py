"""The tables of the database, for queries. Made by migrations/; a test holds the two equal.

The log: `events`, `scans` (hypertables), `layouts`, `dead_letters`. Its book-keeping: `log_head`, `chain_heads`,
`positions`, `marks`, `sources`. What the brains were given, for a replay (`eventlog.given`): `inputs`, `definitions`,
`ticks`, `decisions`, `checkpoints`. The rest are projections: folded from the events, dropped and rebuilt at will
(`eventlog.projections`). Facts of different topics have no common order, so each sets columns of its own, and a row can
be there in part; readers of a projection ask for the column that its first fact sets.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy import TIMESTAMP as _TIMESTAMP
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import JSONB, UUID

METADATA = MetaData()
_TIME = _TIMESTAMP(timezone=True)


def _needed(name: str, type_: object, **more: object) -> Column[object]:
    return Column(name, type_, nullable=False, **more)  # type: ignore[arg-type]


def _key(name: str, type_: object) -> Column[object]:
    return Column(name, type_, primary_key=True, autoincrement=False)  # type: ignore[arg-type]


events = Table(
    "events", METADATA,
    _needed("position", BigInteger), _needed("id", UUID()), _needed("time", _TIME),
    Column("published_at", _TIME), _needed("recorded_at", _TIME),
    _needed("area", Text), _needed("stream", Text), _needed("type", Text), _needed("author", Text),
    _needed("cause", UUID()), _needed("payload", JSONB),
    Column("kafka_topic", Text), Column("kafka_partition", Integer), Column("kafka_offset", BigInteger),
    _needed("hash", LargeBinary),
    Unique("id", "time", name="events_id_time_key"),
    Index("events_position_idx", "position"), Index("events_area_time_idx", "area", "time"),
    Index("events_stream_idx", "stream"), Index("events_type_time_idx", "type", "time"),
    Index("events_cause_idx", "cause"),
    Index(
        "events_request_idx",
        text(
            "coalesce(payload ->> 'incident', payload ->> 'alarm', payload ->> 'name', payload ->> 'device',"
            " payload ->> 'run', payload ->> 'question', payload ->> 'errand')"
        ),
        postgresql_where=text("type LIKE 'request.%'"),
    ),
)  # fmt: skip
layouts = Table(
    "layouts", METADATA, _key("id", BigInteger), _needed("points", ARRAY(Text)), Column("area", Text)
)  # fmt: skip
scans = Table(
    "scans", METADATA,
    _needed("time", _TIME), _needed("device", Text), _needed("layout", BigInteger), _needed("source", Text),
    _needed("sequence", BigInteger), _needed("replayed", Boolean), _needed("values", ARRAY(Float)),
    _needed("qualities", LargeBinary), _needed("kafka_offset", BigInteger, server_default=text("-1")),
    Index("scans_device_time_idx", "device", "time"), Index("scans_kafka_offset_idx", "kafka_offset"),
)  # fmt: skip
dead_letters = Table(
    "dead_letters", METADATA, _key("id", UUID()), _needed("at", _TIME), _needed("origin", Text), _needed("field", Text),
    _needed("reason", Text), _needed("original", LargeBinary), Column("recorded_at", _TIME),
)  # fmt: skip

log_head = Table("log_head", METADATA, _key("id", Integer), _needed("position", BigInteger))
chain_heads = Table(
    "chain_heads", METADATA, _key("area", Text), _needed("events", BigInteger), _needed("hash", LargeBinary)
)  # fmt: skip
positions = Table(
    "positions", METADATA, _key("topic", Text), _key("partition", Integer), _needed("next_offset", BigInteger),
    Column("last_cause", BigInteger), Column("tick_at", _TIME), Column("advanced_at", _TIME),
    _needed("whole_since", BigInteger, server_default=text("0")),
)  # fmt: skip
marks = Table("marks", METADATA, _key("source", Text), _key("partition", Integer), _needed("sequence", BigInteger))
sources = Table(
    "sources", METADATA, _key("source", Text), Column("complete_up_to", BigInteger), Column("last_time", _TIME)
)  # fmt: skip

inputs = Table(
    "inputs", METADATA, _key("topic", Text), _key("partition", Integer), _key("kafka_offset", BigInteger),
    _needed("published_at", _TIME), _needed("body", LargeBinary),
)  # fmt: skip
definitions = Table("definitions", METADATA, _key("digest", LargeBinary), _needed("body", LargeBinary))
ticks = Table(
    "ticks", METADATA, _key("topic", Text), _key("partition", Integer), _key("first_offset", BigInteger),
    _needed("first_at", _TIME), _needed("offsets", ARRAY(Integer)), _needed("micros", ARRAY(Integer)),
)  # fmt: skip
decisions = Table(
    "decisions", METADATA, _key("topic", Text), _key("partition", Integer), _key("cause", BigInteger),
    _needed("kafka_offset", BigInteger), _needed("events", ARRAY(UUID())),
)  # fmt: skip
checkpoints = Table(
    "checkpoints", METADATA, _key("topic", Text), _key("partition", Integer), _key("position", BigInteger),
    _needed("at", _TIME), _needed("snapshot", LargeBinary),
)  # fmt: skip

STANDING = "(active OR NOT acknowledged OR latched) AND replaced_by IS NULL"
"""Of `alarms`: what may still ask for somebody. Whether an override keeps it quiet, `alarm_overrides` says."""
alarms = Table(
    "alarms", METADATA, _key("alarm", UUID()), Column("area", Text), Column("rule", Text), Column("rule_version", Text),
    Column("kind", Text), Column("point", Text), Column("priority", Text), Column("message", Text),
    Column("value", Float), Column("limit_value", Float), Column("unit", Text), Column("began", _TIME),
    Column("raised_at", _TIME), Column("cleared_at", _TIME), Column("acknowledged_at", _TIME),
    Column("acknowledged_by", Text), Column("comment", Text), Column("active", Boolean),
    Column("acknowledged", Boolean), Column("late", Boolean), Column("incident", UUID()), Column("name", Text),
    Column("clear_reason", Text), Column("reset_at", _TIME), Column("reset_by", Text), Column("latched", Boolean),
    Column("ringback", Boolean), Column("silenced", Boolean), Column("held_back", Boolean),
    Column("held_back_reason", Text), Column("stale", Boolean), Column("fleeting", Boolean),
    Column("first_out", Boolean), Column("group_name", Text), Column("times", Integer),
    Column("announce_reason", Text), Column("replaced_by", UUID()), Column("seen_position", BigInteger),
    Column("urgency", Integer),
    Index("alarms_incident_idx", "incident"), Index("alarms_raised_idx", "raised_at"),
    Index("alarms_name_idx", "area", "name", "raised_at"),
    Index(
        "alarms_standing_idx", "acknowledged", text("urgency DESC"), text("raised_at DESC"), "alarm",
        postgresql_where=text(STANDING),
    ),
)  # fmt: skip
alarm_names = Table(
    "alarm_names", METADATA, _key("area", Text), _key("name", Text), Column("alarm", UUID()),
    Column("shown_position", BigInteger), Column("chattering", Boolean), Column("chattering_since", _TIME),
    Column("chatter_times", Integer), Column("chatter_within_s", Float),
    Index("alarm_names_chattering_idx", "area", "name", postgresql_where=text("chattering")),
)  # fmt: skip
alarm_overrides = Table(
    "alarm_overrides", METADATA, _key("area", Text), _key("name", Text), _key("kind", Text), _key("cause", Text),
    Column("by", Text), Column("reason", Text), Column("since", _TIME), Column("until", _TIME),
    Column("one_shot", Boolean), Column("device", Text), Column("ended_at", _TIME), Column("ended_by", Text),
    Column("end_reason", Text),
    Index("alarm_overrides_standing_idx", "area", "name", postgresql_where=text("ended_at IS NULL")),
)  # fmt: skip
floods = Table(
    "floods", METADATA, _key("area", Text), _key("scope", Text), Column("began_at", _TIME), Column("alarms", Integer),
    Column("first_out", UUID()), Column("ended_at", _TIME),
)  # fmt: skip
incidents = Table(
    "incidents", METADATA, _key("incident", UUID()), Column("area", Text), Column("number", Integer),
    Column("title", Text), Column("priority", Text), Column("status", Text), Column("point", Text),
    Column("rule", Text), Column("alarm", UUID()), Column("opened_at", _TIME), Column("acknowledged_at", _TIME),
    Column("acknowledged_by", Text), Column("resolved_at", _TIME), Column("recorded_at", _TIME),
    Column("unconfirmed", Boolean), Column("confirmed_at", _TIME), Column("confirmed_by", Text),
    Column("confirm_reason", Text),
    Column("assigned_to", Text), Column("assigned_at", _TIME), Column("assigned_by", Text), Column("openings", Integer),
    Column("reopened_at", _TIME), Column("reopen_reason", Text), Column("split_from", UUID()),
    Column("merged_into", UUID()), Column("closed_at", _TIME), Column("closed_by", Text), Column("cause", Text),
    Column("action", Text), Column("useful", Boolean), Column("close_comment", Text), Column("policy", Text),
    Column("step", Integer), Column("round", Integer), Column("escalated_to", ARRAY(Text)),
    Column("escalated_at", _TIME), Column("next_call_at", _TIME), Column("escalation_ended", Text),
    Index("incidents_area_number_idx", "area", "number"), Index("incidents_opened_idx", "opened_at"),
    Index("incidents_standing_idx", "opened_at", postgresql_where=text("status = 'open'")),
    Index("incidents_resolved_idx", "resolved_at"), Index("incidents_closed_idx", "closed_at"),
)  # fmt: skip
runs = Table(
    "runs", METADATA, _key("run", UUID()), Column("playbook", Text), Column("version", Text),
    Column("incident", UUID()), Column("area", Text), Column("title", Text), Column("outcome", Text),
    Column("started_at", _TIME), Column("finished_at", _TIME), Column("detail", Text), Column("asked_by", Text),
    Column("planned", _TIME), Column("not_before", _TIME), Column("scope", JSONB), Column("chain", ARRAY(Text)),
    Column("retry_of", UUID()), Column("done", ARRAY(Text)), Column("ending", Text), Column("ending_at", _TIME),
    Column("ending_detail", Text), Column("ended_by", Text), Column("undo", ARRAY(Text)), Column("paused", Boolean),
    Column("paused_at", _TIME), Column("paused_by", Text), Column("pause_reason", Text), Column("pause_due", _TIME),
    Column("escalated_at", _TIME), Column("escalated_to", Text), Column("escalated_step", Text),
    Column("escalated_reason", Text),
    Index("runs_incident_idx", "incident"), Index("runs_playbook_idx", "playbook", "started_at"),
    Index("runs_started_idx", "started_at"),
    Index("runs_running_idx", "started_at", postgresql_where=text("finished_at IS NULL")),
)  # fmt: skip
steps = Table(
    "steps", METADATA, _key("run", UUID()), _key("step", Text), _key("attempt", Integer), Column("outcome", Text),
    Column("started_at", _TIME), Column("finished_at", _TIME), Column("due", _TIME), Column("detail", Text),
    Column("result", JSONB), Column("set", JSONB), Column("by", Text),
)  # fmt: skip
commands = Table(
    "commands", METADATA, _key("command", UUID()), Column("run", UUID()), Column("incident", UUID()),
    Column("area", Text), Column("step", Text), Column("attempt", Integer), Column("edge", Text),
    Column("device", Text), Column("point", Text), Column("value", Float), Column("author", Text),
    Column("issued_at", _TIME), Column("not_after", _TIME), Column("outcome", Text), Column("reason", Text),
    Column("read_back", Float), Column("written_at", _TIME), Column("confirmed_at", _TIME), Column("kind", Text),
    Column("precondition", Text),
    Index("commands_incident_idx", "incident"), Index("commands_run_idx", "run"),
)  # fmt: skip
questions = Table(
    "questions", METADATA, _key("question", UUID()), Column("run", UUID()), Column("incident", UUID()),
    Column("area", Text), Column("step", Text), Column("kind", Text), Column("text", Text), Column("to", Text),
    Column("role", Text), Column("asked_at", _TIME), Column("due", _TIME), Column("choices", ARRAY(Text)),
    Column("four_eyes", Boolean), Column("checklist", ARRAY(Text)), Column("picture", Text), Column("closed_at", _TIME),
    Column("answer", Text), Column("reason", Text),
    Index("questions_run_idx", "run"), Index("questions_open_idx", "due", postgresql_where=text("closed_at IS NULL")),
)  # fmt: skip
answers = Table(
    "answers", METADATA, _key("question", UUID()), _key("by", Text), Column("at", _TIME), Column("answer", Text),
    Column("comment", Text), Column("ticked", ARRAY(Text)),
)  # fmt: skip
errands = Table(
    "errands", METADATA, _key("errand", UUID()), Column("run", UUID()), Column("incident", UUID()),
    Column("area", Text), Column("step", Text), Column("attempt", Integer), Column("kind", Text),
    Column("target", Text), Column("body", Text), Column("author", Text), Column("issued_at", _TIME),
    Column("not_after", _TIME), Column("outcome", Text), Column("ended_at", _TIME), Column("status", Integer),
    Column("reason", Text), Column("final", Boolean), Column("result", JSONB),
    Index("errands_run_idx", "run"), Index("errands_incident_idx", "incident"),
)  # fmt: skip
acting = Table(
    "acting", METADATA, _key("area", Text), Column("stopped_at", _TIME), Column("stopped_by", Text),
    Column("reason", Text), Column("allowed_at", _TIME), Column("allowed_by", Text), Column("allow_reason", Text),
)  # fmt: skip
notifications = Table(
    "notifications", METADATA, _key("notification", UUID()), Column("run", UUID()), Column("incident", UUID()),
    Column("area", Text), Column("step", Text), Column("to", Text), Column("text", Text), Column("priority", Text),
    Column("issued_at", _TIME), Column("kind", Text), Column("persons", ARRAY(Text)), Column("not_after", _TIME),
    Column("withdrawn_at", _TIME), Column("withdrawn_reason", Text),
    Index("notifications_incident_idx", "incident"), Index("notifications_run_idx", "run"),
)  # fmt: skip
deliveries = Table(
    "deliveries", METADATA, _key("notification", UUID()), _key("person", Text), _key("channel", Text),
    Column("outcome", Text), Column("attempt", Integer), Column("at", _TIME), Column("reason", Text),
)  # fmt: skip
devices = Table(
    "devices", METADATA, _key("device", Text), Column("area", Text), Column("lost", Boolean), Column("since", _TIME),
    Column("reason", Text), Column("locked_at", _TIME), Column("locked_by", Text), Column("locked_reason", Text),
    Column("locked_until", _TIME),
)  # fmt: skip
gaps = Table(
    "gaps", METADATA, _key("source", Text), _key("first", BigInteger), Column("last", BigInteger),
    Column("opened_at", _TIME), Column("closed_at", _TIME), Column("lost_at", _TIME), Column("reason", Text),
)  # fmt: skip
configurations = Table(
    "configurations", METADATA, _key("stage", Text), _key("version", Text), Column("at", _TIME),
    Column("body", LargeBinary),
)  # fmt: skip
