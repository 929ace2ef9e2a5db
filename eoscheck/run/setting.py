"""One of the ways to run a subject that are compared: a scenario, and what is different in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from eoscheck.load.spec import LoadSpec
from eoscheck.run.naming import repeat_command, scenario_words
from eoscheck.run.scenario import Scenario, load_scenario


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`source` is a scenario's file or name; the rest is as `load_scenario` takes it."""

    source: str
    base: Path | None = None
    guarantee: str | None = None
    overrides: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def load(self, *, run_id: str = "{run_id}") -> Scenario:
        return load_scenario(
            self.source,
            run_id=run_id,
            base=self.base,
            guarantee=self.guarantee,
            overrides=self.overrides,
            command=self.command,
        )

    def under(self, *overrides: str) -> Setting:
        """The same, with more that is different."""
        return replace(self, overrides=(*self.overrides, *overrides))

    def repeat(self, words: Sequence[object]) -> str:
        """The command of these words, with what is different here and the subject's command."""
        options = scenario_words(base=self.base, guarantee=self.guarantee, overrides=self.overrides)
        return repeat_command([*words, *options], subject=self.command)


def plain_load(load: LoadSpec, *, rate: float | None = None) -> LoadSpec:
    """Without transactions, whose commits would be timed with the subject's own work."""
    return msgspec.structs.replace(
        load,
        transaction_size=None,
        abort_ratio=0.0,
        rate=load.rate if rate is None else rate,
    )
