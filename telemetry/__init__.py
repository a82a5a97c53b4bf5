"""What a process says about itself: structured logs, /health and /metrics.

    from telemetry import configure_logs, serve_health

reads nothing; writes the log (stderr) and answers HTTP on loopback.
"""

from telemetry.health import Health, HealthServer, healthy, serve_health, unhealthy
from telemetry.logs import configure_logs

__all__ = ["Health", "HealthServer", "configure_logs", "healthy", "serve_health", "unhealthy"]
