"""The whole life cycle: overrides, ladders, floods, incidents that are confirmed, reopened, merged and closed.

What a row of the first version says stays true; columns of new facts get what those facts would say.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LOG = """
CREATE INDEX events_request_idx ON events (
  (coalesce(payload ->> 'incident', payload ->> 'alarm', payload ->> 'name', payload ->> 'device'))
) WHERE type LIKE 'request.%';
"""

ALARMS = """
ALTER TABLE alarms
  ADD name text, ADD clear_reason text, ADD reset_at timestamptz, ADD reset_by text, ADD latched boolean,
  ADD ringback boolean, ADD silenced boolean, ADD held_back boolean, ADD held_back_reason text, ADD stale boolean,
  ADD fleeting boolean, ADD first_out boolean, ADD group_name text, ADD times int, ADD announce_reason text,
  ADD replaced_by uuid, ADD seen_position bigint, ADD urgency int;
UPDATE alarms SET name = rule, latched = false, ringback = false, silenced = false, held_back = false, stale = false,
  fleeting = false, first_out = false, group_name = '', times = 0,
  urgency = array_position(ARRAY['low', 'medium', 'high', 'critical'], priority) - 1 WHERE raised_at IS NOT NULL;
UPDATE alarms SET latched = false, ringback = false, fleeting = false WHERE cleared_at IS NOT NULL;
UPDATE alarms a SET seen_position = e.position FROM (
  SELECT stream, max(position) AS position FROM events WHERE type IN ('alarm.raised', 'alarm.cleared') GROUP BY stream
) e WHERE e.stream = 'alarm:' || a.alarm;
UPDATE alarms a SET clear_reason = e.reason FROM (
  SELECT DISTINCT ON (stream) stream, coalesce(payload ->> 'reason', 'returned to normal') AS reason FROM events
  WHERE type = 'alarm.cleared' ORDER BY stream, position DESC
) e WHERE e.stream = 'alarm:' || a.alarm;
DROP INDEX alarms_shown_idx;
CREATE INDEX alarms_standing_idx ON alarms (acknowledged, urgency DESC, raised_at DESC, alarm)
  WHERE (active OR NOT acknowledged OR latched) AND replaced_by IS NULL;
CREATE INDEX alarms_name_idx ON alarms (area, name, raised_at);

CREATE TABLE alarm_names (
  area text, name text, alarm uuid, shown_position bigint, chattering boolean, chattering_since timestamptz,
  chatter_times int, chatter_within_s float8, PRIMARY KEY (area, name)
);
CREATE INDEX alarm_names_chattering_idx ON alarm_names (area, name) WHERE chattering;
INSERT INTO alarm_names (area, name, alarm)
  SELECT DISTINCT ON (area, payload ->> 'rule') area, payload ->> 'rule', (payload ->> 'alarm')::uuid FROM events
  WHERE type = 'alarm.raised' ORDER BY area, payload ->> 'rule', position DESC;

CREATE TABLE alarm_overrides (
  area text, name text, kind text, cause text, by text, reason text, since timestamptz, until timestamptz,
  one_shot boolean, device text, ended_at timestamptz, ended_by text, end_reason text,
  PRIMARY KEY (area, name, kind, cause)
);
CREATE INDEX alarm_overrides_standing_idx ON alarm_overrides (area, name) WHERE ended_at IS NULL;
CREATE TABLE floods (
  area text, scope text, began_at timestamptz, alarms int, first_out uuid, ended_at timestamptz,
  PRIMARY KEY (area, scope)
);
ALTER TABLE devices ADD locked_at timestamptz, ADD locked_by text, ADD locked_reason text,
  ADD locked_until timestamptz;
"""

INCIDENTS = """
ALTER TABLE incidents
  ADD unconfirmed boolean, ADD confirmed_at timestamptz, ADD confirmed_by text, ADD confirm_reason text,
  ADD assigned_to text,
  ADD assigned_at timestamptz, ADD assigned_by text, ADD openings int, ADD reopened_at timestamptz,
  ADD reopen_reason text, ADD split_from uuid, ADD merged_into uuid, ADD closed_at timestamptz, ADD closed_by text,
  ADD cause text, ADD action text, ADD useful boolean, ADD close_comment text, ADD policy text, ADD step int,
  ADD round int, ADD escalated_to text[], ADD escalated_at timestamptz, ADD next_call_at timestamptz,
  ADD escalation_ended text;
UPDATE incidents SET openings = 1, unconfirmed = false WHERE opened_at IS NOT NULL;
CREATE INDEX incidents_standing_idx ON incidents (opened_at) WHERE status = 'open';
CREATE INDEX incidents_resolved_idx ON incidents (resolved_at);
CREATE INDEX incidents_closed_idx ON incidents (closed_at);
ALTER TABLE notifications ADD kind text, ADD persons text[], ADD not_after timestamptz, ADD withdrawn_at timestamptz,
  ADD withdrawn_reason text;
UPDATE notifications SET kind = 'playbook', persons = '{}' WHERE issued_at IS NOT NULL;
CREATE INDEX notifications_run_idx ON notifications (run);
CREATE TABLE deliveries (
  notification uuid, person text, channel text, outcome text, attempt int, at timestamptz, reason text,
  PRIMARY KEY (notification, person, channel)
);
"""


def upgrade() -> None:
    for part in (LOG, ALARMS, INCIDENTS):
        op.execute(part)
