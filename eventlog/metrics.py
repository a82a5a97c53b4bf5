"""What the log writer counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("andon_log_events_total", "Events and requests appended")
SCANS = Counter("andon_log_scans_total", "Scans appended")
READINGS = Counter("andon_log_readings_total", "Readings appended")
DEAD_LETTERS = Counter("andon_log_dead_letters_total", "Dead letters appended")
REFUSED = Counter("andon_log_decisions_refused_total", "Decisions that did not count by the chain rule", ["lane"])
REPEATED = Counter("andon_log_frames_repeated_total", "Frames that were there already")
RETRIES = Counter("andon_log_retries_total", "Times a lane began anew: database or Kafka away", ["lane"])
BATCH = Histogram(
    "andon_log_batch_seconds", "Time to append one batch", ["lane"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)  # fmt: skip
LAG = Gauge("andon_log_lag_records", "Records in the topic that the log has not taken", ["topic"])
DELAY = Gauge("andon_log_delay_seconds", "Age of the newest record of the last batch when it was committed", ["lane"])
