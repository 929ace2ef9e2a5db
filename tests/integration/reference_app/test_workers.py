"""Several workers in one process: each with its own clients, transactions and tasks."""

from __future__ import annotations

from tests.integration.reference_app.payments_driver import Instance, Payments, wait_for

TWO = ("--num-stream-threads", "2")


def by_worker(instance: Instance) -> dict[int, set[int]]:
    shares: dict[int, set[int]] = {}
    for task in instance.metrics().get("tasks", []):
        if task["state"] == "running":
            shares.setdefault(task["worker"], set()).add(task["partition"])
    return shares


def test_workers_share_the_partitions_and_a_stop_closes_them_all(payments: Payments) -> None:
    instance = payments.instance(*TWO)
    instance.start()
    wait_for("two tasks each", lambda: [len(s) for s in by_worker(instance).values()] == [2, 2])
    payments.feed(2_000)
    payments.wait_drained()
    workers = instance.metrics()["workers"]
    assert len({worker["transactional_id"] for worker in workers}) == 2
    wait_for("records of both", lambda: all(w["records"] for w in instance.metrics()["workers"]))
    assert instance.terminate() == 0
    assert payments.audit().clean
    instance.start()
    wait_for("a restart", instance.running)
    restores = instance.metrics()["restores"]
    assert [restore["records"] for restore in restores] == [0] * len(restores)


def test_two_processes_of_two_workers_survive_a_storm(payments: Payments) -> None:
    pair = payments.start_pair(*TWO, "--transaction-timeout-ms", "5000", static=True)
    payments.kill_at_work(pair, kills=3, seed=6, wipe=[2])
    audit = payments.audit()
    assert audit.receipts > 1000
    assert audit.clean, audit


def test_what_ends_one_worker_ends_the_process(payments: Payments) -> None:
    poison = payments.producer()
    poison.produce(payments.input, b"not json", b"account-1", 0)
    poison.flush()
    instance = payments.instance(*TWO)
    instance.start()
    assert instance.wait() == 1
    assert f"{payments.input}-0 offset 0 cannot be processed" in instance.metrics()["reason"]
