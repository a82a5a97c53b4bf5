"""The log, its book-keeping and its projections."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LOG = """
CREATE TABLE events (
  position bigint NOT NULL,
  id uuid NOT NULL,
  time timestamptz NOT NULL,
  published_at timestamptz,
  recorded_at timestamptz NOT NULL,
  area text NOT NULL,
  stream text NOT NULL,
  type text NOT NULL,
  author text NOT NULL,
  cause uuid NOT NULL,
  payload jsonb NOT NULL,
  kafka_topic text,
  kafka_partition int,
  kafka_offset bigint,
  hash bytea NOT NULL,
  CONSTRAINT events_id_time_key UNIQUE (id, time)
);
SELECT create_hypertable('events', 'time', chunk_time_interval => interval '7 days', create_default_indexes => false);
CREATE INDEX events_position_idx ON events (position);
CREATE INDEX events_area_time_idx ON events (area, time);
CREATE INDEX events_stream_idx ON events (stream);
CREATE INDEX events_type_time_idx ON events (type, time);
CREATE INDEX events_cause_idx ON events (cause);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE layouts (id bigint PRIMARY KEY, points text[] NOT NULL);
CREATE TABLE scans (
  time timestamptz NOT NULL,
  device text NOT NULL,
  layout bigint NOT NULL,
  source text NOT NULL,
  sequence bigint NOT NULL,
  replayed boolean NOT NULL,
  values float8[] NOT NULL,
  qualities bytea NOT NULL
);
SELECT create_hypertable('scans', 'time', chunk_time_interval => interval '1 day', create_default_indexes => false);
CREATE INDEX scans_device_time_idx ON scans (device, time);
-- what is stored is already dense doubles: trying to compress them costs more than it saves
ALTER TABLE scans ALTER COLUMN values SET STORAGE EXTERNAL, ALTER COLUMN qualities SET STORAGE EXTERNAL;

CREATE VIEW readings AS
SELECT s.time, u.point, u.value, get_byte(s.qualities, (u.at - 1)::int) AS quality, s.device
FROM scans s JOIN layouts l ON l.id = s.layout
CROSS JOIN LATERAL unnest(l.points, s.values) WITH ORDINALITY AS u (point, value, at)
WHERE get_byte(s.qualities, (u.at - 1)::int) <> 255;

CREATE TABLE dead_letters (
  id uuid PRIMARY KEY, at timestamptz NOT NULL, origin text NOT NULL, field text NOT NULL, reason text NOT NULL,
  original bytea NOT NULL, recorded_at timestamptz DEFAULT clock_timestamp()
);
"""

BOOKS = """
CREATE TABLE log_head (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), position bigint NOT NULL);
INSERT INTO log_head (position) VALUES (0);
CREATE TABLE chain_heads (area text PRIMARY KEY, events bigint NOT NULL, hash bytea NOT NULL);
CREATE TABLE positions (
  topic text, partition int, next_offset bigint NOT NULL, last_cause bigint, tick_at timestamptz,
  advanced_at timestamptz, PRIMARY KEY (topic, partition)
);
CREATE TABLE marks (source text, partition int, sequence bigint NOT NULL, PRIMARY KEY (source, partition));
CREATE TABLE sources (source text PRIMARY KEY, complete_up_to bigint, last_time timestamptz);
"""

PROJECTIONS = """
CREATE TABLE alarms (
  alarm uuid PRIMARY KEY, area text, rule text, rule_version text, kind text, point text, priority text, message text,
  value float8, limit_value float8, unit text, began timestamptz, raised_at timestamptz, cleared_at timestamptz,
  acknowledged_at timestamptz, acknowledged_by text, comment text, active boolean, acknowledged boolean, late boolean,
  incident uuid
);
CREATE INDEX alarms_incident_idx ON alarms (incident);
CREATE INDEX alarms_raised_idx ON alarms (raised_at);
CREATE INDEX alarms_shown_idx ON alarms (area) WHERE active OR NOT acknowledged;
CREATE TABLE incidents (
  incident uuid PRIMARY KEY, area text, number int, title text, priority text, status text, point text, rule text,
  alarm uuid, opened_at timestamptz, acknowledged_at timestamptz, acknowledged_by text, resolved_at timestamptz,
  recorded_at timestamptz
);
CREATE INDEX incidents_area_number_idx ON incidents (area, number);
CREATE INDEX incidents_opened_idx ON incidents (opened_at);
CREATE TABLE runs (
  run uuid PRIMARY KEY, playbook text, version text, incident uuid, area text, title text, outcome text,
  started_at timestamptz, finished_at timestamptz, detail text
);
CREATE INDEX runs_incident_idx ON runs (incident);
CREATE TABLE steps (
  run uuid, step text, attempt int, outcome text, started_at timestamptz, finished_at timestamptz, due timestamptz,
  detail text, PRIMARY KEY (run, step, attempt)
);
CREATE TABLE commands (
  command uuid PRIMARY KEY, run uuid, incident uuid, area text, step text, attempt int, edge text, device text,
  point text, value float8, author text, issued_at timestamptz, not_after timestamptz, outcome text, reason text,
  read_back float8, written_at timestamptz, confirmed_at timestamptz
);
CREATE INDEX commands_incident_idx ON commands (incident);
CREATE INDEX commands_run_idx ON commands (run);
CREATE TABLE notifications (
  notification uuid PRIMARY KEY, run uuid, incident uuid, area text, step text, "to" text, text text, priority text,
  issued_at timestamptz
);
CREATE INDEX notifications_incident_idx ON notifications (incident);
CREATE TABLE devices (device text PRIMARY KEY, area text, lost boolean, since timestamptz, reason text);
CREATE TABLE gaps (
  source text, first bigint, last bigint, opened_at timestamptz, closed_at timestamptz, lost_at timestamptz,
  reason text, PRIMARY KEY (source, first)
);
CREATE TABLE configurations (stage text, version text, at timestamptz, body bytea, PRIMARY KEY (stage, version));
"""


def upgrade() -> None:
    for part in (LOG, BOOKS, PROJECTIONS):
        op.execute(part)
