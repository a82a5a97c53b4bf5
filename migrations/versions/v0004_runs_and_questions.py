"""Runs that wait, ask, undo and act outside devices; who said hands off.

What a row of an older version says stays true; columns of new facts get what those facts would say.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LOG = """
DROP INDEX events_request_idx;
CREATE INDEX events_request_idx ON events (
  (coalesce(payload ->> 'incident', payload ->> 'alarm', payload ->> 'name', payload ->> 'device',
            payload ->> 'run', payload ->> 'question', payload ->> 'errand'))
) WHERE type LIKE 'request.%';
"""

RUNS = """
ALTER TABLE runs
  ADD asked_by text, ADD planned timestamptz, ADD not_before timestamptz, ADD scope jsonb, ADD chain text[],
  ADD retry_of uuid, ADD done text[], ADD ending text, ADD ending_at timestamptz, ADD ending_detail text,
  ADD ended_by text, ADD undo text[], ADD paused boolean, ADD paused_at timestamptz, ADD paused_by text,
  ADD pause_reason text, ADD pause_due timestamptz, ADD escalated_at timestamptz, ADD escalated_to text,
  ADD escalated_step text, ADD escalated_reason text;
UPDATE runs SET asked_by = '', scope = '{}', chain = '{}', done = '{}', paused = false WHERE started_at IS NOT NULL;
UPDATE runs r SET not_before = (e.payload ->> 'not_before')::timestamptz FROM events e
  WHERE e.type = 'run.started' AND e.stream = 'run:' || r.run AND e.payload ->> 'not_before' IS NOT NULL;
CREATE INDEX runs_playbook_idx ON runs (playbook, started_at);
CREATE INDEX runs_started_idx ON runs (started_at);
CREATE INDEX runs_running_idx ON runs (started_at) WHERE finished_at IS NULL;
ALTER TABLE steps ADD result jsonb, ADD set jsonb, ADD by text;
UPDATE steps SET result = '{}', set = '{}', by = '' WHERE finished_at IS NOT NULL;
ALTER TABLE commands ADD kind text, ADD precondition text;
UPDATE commands SET kind = 'write', precondition = '' WHERE issued_at IS NOT NULL;
"""

PEOPLE_AND_ERRANDS = """
CREATE TABLE questions (
  question uuid PRIMARY KEY, run uuid, incident uuid, area text, step text, kind text, text text, "to" text, role text,
  asked_at timestamptz, due timestamptz, choices text[], four_eyes boolean, checklist text[], picture text,
  closed_at timestamptz, answer text, reason text
);
CREATE INDEX questions_run_idx ON questions (run);
CREATE INDEX questions_open_idx ON questions (due) WHERE closed_at IS NULL;
CREATE TABLE answers (
  question uuid, by text, at timestamptz, answer text, comment text, ticked text[], PRIMARY KEY (question, by)
);
CREATE TABLE errands (
  errand uuid PRIMARY KEY, run uuid, incident uuid, area text, step text, attempt int, kind text, target text,
  body text, author text, issued_at timestamptz, not_after timestamptz, outcome text, ended_at timestamptz, status int,
  reason text, final boolean, result jsonb
);
CREATE INDEX errands_run_idx ON errands (run);
CREATE INDEX errands_incident_idx ON errands (incident);
CREATE TABLE acting (
  area text PRIMARY KEY, stopped_at timestamptz, stopped_by text, reason text, allowed_at timestamptz, allowed_by text,
  allow_reason text
);
"""


def upgrade() -> None:
    for part in (LOG, RUNS, PEOPLE_AND_ERRANDS):
        op.execute(part)
