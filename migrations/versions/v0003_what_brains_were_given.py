"""What the brains were given, so that a replay gives them the same in the same order.

Frames say where they lay in their topic; ticks, decisions and all other inputs are kept beside them. `whole_since` says
from which offset on that is so: what was logged before this revision cannot be replayed.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FRAMES = """
ALTER TABLE layouts ADD area text;
ALTER TABLE scans ADD kafka_offset bigint NOT NULL DEFAULT -1;
CREATE INDEX scans_kafka_offset_idx ON scans (kafka_offset);
"""

INBOXES = """
ALTER TABLE positions ADD whole_since bigint NOT NULL DEFAULT 0;
UPDATE positions SET whole_since = next_offset;
CREATE TABLE inputs (
  topic text, partition int, kafka_offset bigint, published_at timestamptz NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (topic, partition, kafka_offset)
);
CREATE TABLE definitions (digest bytea PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE ticks (
  topic text, partition int, first_offset bigint, first_at timestamptz NOT NULL, offsets int[] NOT NULL,
  micros int[] NOT NULL, PRIMARY KEY (topic, partition, first_offset)
);
CREATE TABLE decisions (
  topic text, partition int, cause bigint, kafka_offset bigint NOT NULL, events uuid[] NOT NULL,
  PRIMARY KEY (topic, partition, cause)
);
CREATE TABLE checkpoints (
  topic text, partition int, position bigint, at timestamptz NOT NULL, snapshot bytea NOT NULL,
  PRIMARY KEY (topic, partition, position)
);
"""


def upgrade() -> None:
    for part in (FRAMES, INBOXES):
        op.execute(part)
