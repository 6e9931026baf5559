"""Actions, workers, the sweeper and leaving workers at once on a real PostgreSQL, while an observer looks for what must never be."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from gateway.executions.errors import ActionImpossible
from gateway.executions.model import ExecutionAction, ExecutionStatus
from gateway.outbound.answer import Answer
from tests.fakes.executions import SERVICE, ExecutionWorld, flow_document
from tests.fakes.upstream import json_answer

EXECUTIONS = 4
ACTIONS_EACH = 120
NODES: dict[str, Any] = {
    "a": SERVICE,
    **dict.fromkeys(("b", "c", "d"), SERVICE),
    "e": {"output": "taken"},
    "never": {"output": "not taken"},
    "end": {"output": "${nodes.b.output.body + nodes.c.output.body + nodes.d.output.body}"},
}
EDGES = [
    *(("a", each) for each in "bcd"),
    ("a", "never", "output.body > 1"),
    ("b", "e"),
    *((each, "end") for each in ("b", "c", "d", "e", "never")),
]
ENDED = "('completed', 'failed', 'cancelled')"
NODE_ENDED = "('completed', 'failed', 'cancelled', 'skipped')"
BROKEN_EXECUTIONS = f"""
    SELECT e.id, e.status, e.nodes_left, array_agg(n.node_id || ' ' || n.status ORDER BY n.position) AS nodes
    FROM executions e JOIN execution_nodes n ON n.execution_id = e.id GROUP BY e.id
    HAVING e.nodes_left <> count(*) FILTER (WHERE n.status NOT IN {NODE_ENDED})
        OR (e.status IN {ENDED}) <> (e.nodes_left = 0)
        OR (e.status IN {ENDED}) <> (e.completed_at IS NOT NULL)
        OR (e.status = 'paused' AND bool_or(n.status = 'ready'))
        OR (e.status = 'running' AND bool_or(n.status = 'paused'))
        OR (e.status = 'completed' AND bool_or(n.status IN ('failed', 'cancelled')))
"""
BROKEN_NODES = """
    SELECT n.execution_id, n.node_id, n.status, n.epoch, array_agg(t.outcome ORDER BY t.epoch) AS outcomes
    FROM execution_nodes n JOIN node_attempts t USING (execution_id, node_id) GROUP BY n.execution_id, n.node_id
    HAVING count(*) FILTER (WHERE t.outcome = 'running') <> (n.status = 'running')::int
        OR count(*) FILTER (WHERE t.outcome = 'succeeded') <> (n.status = 'completed')::int
        OR max(t.epoch) > n.epoch
"""


@pytest.fixture
def world(postgres_url: str) -> Iterator[ExecutionWorld]:
    world = ExecutionWorld(postgres_url)
    world.directory.add("prices", 9000)
    world.flows.add(flow_document(NODES, EDGES))
    yield world
    world.close()


def broken(world: ExecutionWorld) -> list[Any]:
    with world.postgres.transaction() as connection:
        return [*connection.execute(text(BROKEN_EXECUTIONS)), *connection.execute(text(BROKEN_NODES))]


class Hammer:
    """Threads that each do one thing again and again until the clients have acted often enough."""

    def __init__(self, world: ExecutionWorld, seed: int) -> None:
        self.world = world
        self.ids = [world.start() for _ in range(EXECUTIONS)]
        self.random = Random(seed)
        self.over = threading.Event()
        self.wrong: list[object] = []
        self.done: dict[str, int] = {}
        world.http.request = self.upstream  # type: ignore[method-assign]

    def upstream(self, *_: Any, **__: Any) -> Answer:
        time.sleep(self.random.uniform(0, 0.01))  # what happens in the middle of a call is the point
        return json_answer(1, status=self.random.choices((200, 404, 503), (12, 1, 1))[0])

    def client(self) -> None:
        for _ in range(ACTIONS_EACH):
            action = self.random.choice(list(ExecutionAction))
            try:
                view = self.world.executions.act(self.random.choice(self.ids), action, caller="hammer")
            except ActionImpossible:
                continue
            self.done[action] = self.done.get(action, 0) + 1
            statuses = {node.status.value for node in view.nodes}
            if view.status is ExecutionStatus.CANCELLED and statuses & {"pending", "ready", "paused", "running"}:
                self.wrong.append(view)
            if view.status is ExecutionStatus.PAUSED and "ready" in statuses:
                self.wrong.append(view)

    def worker(self) -> None:
        executions = self.world.another_process()
        while not self.over.is_set():
            executions.run_node(self.random.choice(self.ids), self.random.choice(list(NODES)))

    def sweeper(self) -> None:
        while not self.over.wait(0.02):
            self.world.clock.advance(self.random.choice((0.5, 0.5, 0.5, 31.0)))
            self.world.executions.sweep()
            if self.random.random() < 0.3:
                self.world.executions.hand_back(os.getppid())

    def observer(self) -> None:
        while not self.over.is_set():
            self.wrong += broken(self.world)

    def strike(self) -> None:
        clients = [self._thread(self.client) for _ in range(2)]
        others = [self._thread(each) for each in (self.worker, self.worker, self.worker, self.sweeper, self.observer)]
        for thread in (*clients, *others):
            thread.start()
        for thread in clients:
            thread.join()
        self.over.set()
        for thread in others:
            thread.join()

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - shown by the assertion of the test
                self.wrong.append(error)
                self.over.set()

        return threading.Thread(target=run, name=work.__name__)


def bring_to_its_end(world: ExecutionWorld, execution_id: str) -> None:
    """What a client does who wants it completed, whatever was done to it before."""
    status = world.executions.get(execution_id).status
    if status is ExecutionStatus.PAUSED:
        world.executions.act(execution_id, ExecutionAction.RESUME, caller="hammer")
    elif status in {ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}:
        world.executions.act(execution_id, ExecutionAction.RETRY, caller="hammer")
    for _ in range(3):
        world.pump()
        world.clock.advance(31)
        world.executions.sweep()


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_at_once_the_rows_make_sense_and_every_execution_can_be_completed(world: ExecutionWorld, seed: int) -> None:
    hammer = Hammer(world, seed)
    hammer.strike()
    assert hammer.wrong == []
    assert set(hammer.done) == set(ExecutionAction)
    assert broken(world) == []
    world.http.request = lambda *_, **__: json_answer(1)  # type: ignore[method-assign]
    for execution_id in hammer.ids:
        bring_to_its_end(world, execution_id)
        bring_to_its_end(world, execution_id)  # what failed with the last call of the storm
        view = world.executions.get(execution_id)
        assert (view.status, view.result) == (ExecutionStatus.COMPLETED, 3)
        assert {node.id: node.status.value for node in view.nodes} == dict.fromkeys(NODES, "completed") | {"never": "skipped"}
    assert broken(world) == []


def test_of_two_opposite_actions_at_once_one_is_first(world: ExecutionWorld) -> None:
    for _ in range(10):
        execution_id = world.start()
        gate = threading.Barrier(2)
        refused: list[ActionImpossible] = []

        def act(action: ExecutionAction, execution_id: str = execution_id, gate: threading.Barrier = gate) -> None:
            gate.wait()
            try:
                world.executions.act(execution_id, action, caller=action.value)
            except ActionImpossible as error:
                refused.append(error)  # noqa: B023 - joined below

        threads = [threading.Thread(target=act, args=(action,)) for action in (ExecutionAction.CANCEL, ExecutionAction.PAUSE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        view = world.executions.get(execution_id)
        assert view.status is ExecutionStatus.CANCELLED
        assert len(view.actions) + len(refused) == 2
