"""What a web worker with only PostgreSQL and DragonflyDB keeps resident: `make bench ARGS="chaos memory"`.

RSS counts every page that the process has in memory, those of shared libraries and those it still shares with gunicorn's master in full.
PSS counts a shared page in parts, one for each process that has it: the sum over all processes is what they cost together.
"""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Caller, Request, run_for
from embedded.postgres import EmbeddedPostgres
from tests.chaos.deployment import CONFIG_KEY, FLOW, Deployment, running_deployment
from tests.chaos.engines import as_text

MEMORY_MB = 90.0
CALLERS, CALLS_A_SECOND = 8, 25.0
AGAIN = 3  # as many times the first load follow, to tell what is loaded at first use from what leaks


@dataclass(frozen=True)
class Resident:
    """Of one process, in 10^6 bytes; `of_files_mb` is the part of RSS that is libraries' code, not memory of its own."""

    rss_mb: float
    pss_mb: float
    of_files_mb: float

    @property
    def shown(self) -> str:
        return f"RSS {self.rss_mb:.1f} MB ({self.of_files_mb:.1f} of it libraries' files), PSS {self.pss_mb:.1f} MB"


def memory(directory: Path, postgres: EmbeddedPostgres, seconds: float) -> None:
    """A worker before its first request, after every kind of request, and after many more of them."""
    print("\nResident memory of a web worker with only PostgreSQL and DragonflyDB")
    with running_deployment(directory, postgres, only=("postgres", "dragonflydb"), WEB_CONCURRENCY="1") as deployment:
        (worker,) = deployment.workers()
        print(f"  fresh: {resident(worker).shown}")
        requests = _every_kind(deployment)
        used = _load(worker, deployment.port, requests, seconds)
        later = _load(worker, deployment.port, requests, AGAIN * seconds)
        verdict = "yes" if used.rss_mb <= MEMORY_MB else "NO"
        print(f"  [RSS ≤ {MEMORY_MB:.0f} MB: {verdict}]  {later.rss_mb - used.rss_mb:+.1f} MB by the second load")


def _load(worker: int, port: int, requests: list[Request], seconds: float) -> Resident:
    callers = [Caller(port, requests[turn:] + requests[:turn], CALLS_A_SECOND) for turn in range(CALLERS)]
    seen = run_for(seconds, callers)["all"]
    found = resident(worker)
    print(f"  after {len(seen.ms)} requests of {len(requests)} kinds: {found.shown}; statuses {dict(seen.statuses)}")
    return found


def _every_kind(deployment: Deployment) -> list[Request]:
    paths = ["/health", "/api", "/api/v1/status/databases", f"/api/v1/config/{CONFIG_KEY}", "/api/v1/services", "/api/v1/topology"]
    paths += ["/api/v1/flows", "/api/v1/analytics/requests", "/api/v1/recoveries", "/metrics", "/nowhere"]
    posts = {f"/api/v1/databases/{name}/query": as_text(engine.question) for name, engine in deployment.engines.items()}
    posts[f"/api/v1/flows/{FLOW['id']}/execute"] = '{"parameters": {}}'
    return [Request("all", "GET", path) for path in paths] + [Request("all", "POST", *post) for post in posts.items()]


def resident(pid: int) -> Resident:
    """From the kernel's sums over all mappings: proc(5), smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    mb = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}
    return Resident(mb["Rss"], mb["Pss"], mb["Rss"] - mb["Anonymous"])
