"""What the intake counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

MESSAGES = Counter("andon_intake_messages_total", "Messages that arrived, by form", ["form"])
READINGS = Counter("andon_intake_readings_total", "Readings taken")
REPEATED = Counter("andon_intake_repeated_readings_total", "Readings of unnumbered senders that were said before")
DUPLICATES = Counter("andon_intake_duplicate_records_total", "Records of edges that the plant had already")
GAPS = Counter("andon_intake_gaps_total", "Gaps that opened in what an edge sent")
REFUSED = Counter("andon_intake_refused_messages_total", "Messages of which something became a dead letter")
ACKNOWLEDGED = Histogram(
    "andon_intake_acknowledge_seconds", "From the arrival of a message until Kafka has it",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30, 300),
)  # fmt: skip

COMMANDS = Counter("andon_dispatched_commands_total", "Commands handed to the MQTT broker")
COMMANDS_REFUSED = Counter("andon_dispatch_refused_commands_total", "Commands that were not sent: late, unreachable")
