"""What the edge says about itself: health for people and the supervisor, metrics for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config.yamlfile import ConfigError
from edge.executor import Executor
from edge.home import Home
from edge.journal import ALMOST_FULL, Journal
from edge.poller import Poller
from edge.uplink import Uplink
from telemetry import Health

HANGS_S = 5.0


class Status(Struct):
    """Attributes: turned: when the loop last turned [s, monotonic]; errors: files of the plant that cannot be used."""

    journal: Journal
    uplink: Uplink
    executor: Executor
    home: Home
    pollers: Sequence[Poller]
    errors: Sequence[ConfigError]
    turned: float

    def health(self) -> Health:
        """Unhealthy: somebody must act on the edge itself. A lost device or a bad file is named; others go on."""
        wrong, named = [], []
        if not self.uplink.connected or self.uplink.reason:
            wrong.append(f"mqtt: {self.uplink.reason}")
        for fault in (self.uplink.fault, self.journal.fault):
            if fault:
                wrong.append(f"journal: {fault}")
        if self.journal.fill >= ALMOST_FULL:
            wrong.append(f"journal: {self.journal.fill:.0%} of its limit is used")
        if (hanging_s := time.monotonic() - self.turned) > HANGS_S:
            wrong.append(f"the loop hangs for {hanging_s:.0f} s")
        lost = [p.device.device for p in self.pollers if p.silence.lost]
        named += [f"device {device} is lost" for device in lost]
        named += [f"unusable: {error}" for error in self.errors]
        named += [f"device {d} is locked out: {reason}" for d, reason in self.executor.memory.locked_out.items()]
        return {
            "ok": not wrong, "reasons": [*wrong, *named], "source": self.journal.source, "last": self.journal.last,
            "waiting": self.journal.last - self.journal.confirmed, "journal_fill": round(self.journal.fill, 4),
            "records_lost": self.journal.lost, "devices": len(self.pollers), "devices_lost": lost,
            "homes": sorted(self.home.areas), "undecided": self.home.waiting,
        }


class Metrics(Collector):
    """Read when they are asked for: nothing is counted twice."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        s = self._status
        waiting = s.journal.last - s.journal.confirmed
        yield GaugeMetricFamily("andon_edge_journal_fill_ratio", "Used part of the journal's limit", s.journal.fill)
        yield GaugeMetricFamily("andon_edge_journal_waiting_records", "Not confirmed by the plant", waiting)
        yield GaugeMetricFamily("andon_edge_undecided_inputs", "Inputs that wait for the home", s.home.waiting)
        yield CounterMetricFamily("andon_edge_records_lost", "Records dropped at the limit", s.journal.lost)
        yield CounterMetricFamily("andon_edge_records", "Records numbered since the journal was made", s.journal.last)
        yield GaugeMetricFamily("andon_edge_mqtt_connected", "1: the broker is connected", float(s.uplink.connected))
        yield CounterMetricFamily("andon_edge_records_sent", "Records published", s.uplink.sent)
        yield CounterMetricFamily("andon_edge_records_resent", "Records published again", s.uplink.resent)
        commands = CounterMetricFamily("andon_edge_commands", "Commands answered", labels=["outcome"])
        for outcome, count in s.executor.done.items():
            commands.add_metric([outcome], count)
        yield commands
        lost = GaugeMetricFamily("andon_edge_device_lost", "1: the device does not answer", labels=["device"])
        scans = CounterMetricFamily("andon_edge_scans", "Scans tried", labels=["device"])
        late = CounterMetricFamily("andon_edge_scans_skipped", "Scans left out, as one took long", labels=["device"])
        for poller in s.pollers:
            lost.add_metric([poller.device.device], float(poller.silence.lost))
            scans.add_metric([poller.device.device], poller.scans)
            late.add_metric([poller.device.device], poller.late)
        yield from (lost, scans, late)
