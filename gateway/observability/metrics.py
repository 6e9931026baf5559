"""Prometheus metrics of the web process. With PROMETHEUS_MULTIPROC_DIR set, the library keeps them in files that all workers share.

Source: https://prometheus.github.io/client_python/multiprocess/ (the library reads that variable itself, when it is imported)
"""

from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import values as value_store
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["CONTENT_TYPE_LATEST", "RequestMetrics", "gauges", "render"]

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LABELS = ("method", "route", "status")
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Requests by route template, method and status. A registry of its own, so that two apps in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "gateway_request_duration_seconds", "Time to answer", LABELS, buckets=SECONDS_BUCKETS, registry=self.registry
        )
        self._total = Counter("gateway_requests", "Requests answered", LABELS, registry=self.registry)
        self._in_progress = Gauge(
            "gateway_requests_in_progress", "Requests being answered", registry=self.registry, multiprocess_mode="livesum"
        )

    def begin(self) -> None:
        """A request came in."""
        self._in_progress.inc()

    def end(self) -> None:
        """It is gone."""
        self._in_progress.dec()

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """It was answered. Unknown methods share a label: a caller must not make series."""
        labels = (method if method in KNOWN_METHODS else "other", route, str(status))
        self._total.labels(*labels).inc()
        self._seconds.labels(*labels).observe(seconds)


class _Ready:
    """A collector of metrics that are made already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def gauges(name: str, meaning: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    """One gauge with a row for each set of label values."""
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def render(requests: RequestMetrics, snapshots: Iterable[Metric]) -> bytes:
    """Prometheus text: the counters (of all workers, in multiprocess mode) and what the snapshots of this process say."""
    registry = CollectorRegistry()
    registry.register(_Ready(snapshots))
    if _counts_for_all_workers():
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(requests.registry) + generate_latest(registry)


def _counts_for_all_workers() -> bool:
    return value_store.ValueClass is not value_store.MutexValue
