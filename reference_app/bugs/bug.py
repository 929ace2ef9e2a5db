"""What is known of a bug, and how it changes the app."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from reference_app.streams.commit import Committer
from reference_app.streams.options import Guarantee
from reference_app.streams.parts import Parts


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One departure from one rule.

    `like` is a real system or report that had the same error, `anomalies` are the codes it can
    cause, and `fault` is what brings them out. `breed` replaces the parts that keep the rule.

    It is proven red by `scenario`, with `options` of the app and `settings` of the scenario. Its
    crash points are tried in `matrix`, with `matrix_options` and `matrix_settings` after those.
    """

    name: str
    breaks: str
    like: str
    anomalies: tuple[str, ...]
    fault: str
    breed: Callable[[Parts], Parts]
    scenario: str
    options: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    matrix: str = "crashpoints"
    matrix_options: tuple[str, ...] = ()
    matrix_settings: tuple[str, ...] = ()

    @property
    def proof(self) -> str:
        """A command line that comes out red."""
        args = json.dumps([*self.options, "--bug", self.name])
        settings = [*self.settings, f"subject.args={args}"]
        words = [word for setting in settings for word in ("--set", setting)]
        return shlex.join(["eoscheck", "run", self.scenario, *words])


def exactly_once_by(committer: Callable[..., Committer], parts: Parts) -> Parts:
    """`parts` with another order of commit under exactly-once."""
    committers = {**parts.committers, Guarantee.EXACTLY_ONCE_V2: committer}
    return replace(parts, committers=committers)


def at_least_once_by(committer: Callable[..., Committer], parts: Parts) -> Parts:
    """The same under at-least-once."""
    committers = {**parts.committers, Guarantee.AT_LEAST_ONCE: committer}
    return replace(parts, committers=committers)
