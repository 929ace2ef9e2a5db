"""The examples in docs/oracles.md and docs/state.md work as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.identity import parse
from eoscheck.audit.oracles.dumps import Dump
from eoscheck.audit.oracles.folding import Folding, load_fold
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.spec import Changelog
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.subject.restores import restores_in

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages' modules, as `documented_<name>` so that no other test's are meant."""
    for block in blocks("oracles.md", "python"):
        name = re.match(r"# (\w+)\.py", block)
        assert name is not None
        (tmp_path / f"documented_{name[1]}.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)


def test_the_example_of_a_fold() -> None:
    fold = Folding("payments", load_fold("python:documented_folds:balance"))
    for offset, (account, amount) in enumerate([("a", 5), ("b", 1), ("a", -2)]):
        value = msgspec.json.encode({"account": account, "amount": amount})
        fold.add([0], [offset], [(None, value, [])])
    table = fold.table()
    assert isinstance(table, TableRows)
    assert table.key.low.tolist() == encode(["b", "a"])[0].low.tolist()
    found = parse("python:documented_folds:balance_found")(None, b'{"balance": 3}', [])
    assert table.value.low.tolist() == [1, found]


def test_the_example_of_a_ledger() -> None:
    debit = b'{"payment_id": 7, "side": "debit", "amount": 5}'
    credit = b'{"payment_id": 7, "side": "credit", "amount": 5}'
    signed, entry = (parse(f"python:documented_ledger:{name}") for name in ("signed", "entry"))
    assert [signed(None, each, []) for each in (debit, credit)] == [5, -5]
    assert entry(None, debit, []) == "7-debit"


def test_the_example_of_a_dump(tmp_path: Path) -> None:
    (example,) = blocks("state.md", "json")
    path = tmp_path / "balances.ndjson"
    path.write_text(example)
    dump = Dump(path=path)
    assert [len(block) for block in dump.blocks()] == [2]
    assert dump.below == {0: 1817, 1: 0}


def test_the_examples_of_restores(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text((DOCS / "state.md").read_text())
    found = [type(each) for each in restores_in(log, instance=0, since_start=float)]
    assert found == [RestoreStarted, RestoreEnded, RestoreEnded]


def test_the_tables_of_a_scenario_are_of_the_specification() -> None:
    for block in blocks("state.md", "toml"):
        names = set(re.findall(r"^(\w+) =", block, re.MULTILINE))
        assert names <= set(Changelog.__struct_fields__)
