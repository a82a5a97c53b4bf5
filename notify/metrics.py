"""What the notifier counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

NOTIFICATIONS = Counter("andon_notifications_total", "Notifications that were issued, by kind", ["kind"])
OUTCOMES = Counter("andon_notification_outcomes_total", "Outcomes: delivered, retried, failed, withdrawn", ["outcome"])
DELIVERY = Histogram(
    "andon_notification_delivery_seconds", "From issued until the channel took it",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)  # fmt: skip
