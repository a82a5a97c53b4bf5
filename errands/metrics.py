"""What the process errands counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

ERRANDS = Counter(
    "andon_errands_total", "Errands by kind (http, message) and outcome (done, failed)", ["kind", "outcome"]
)
SECONDS = Histogram(
    "andon_errand_seconds", "From issued until it was done",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)  # fmt: skip
