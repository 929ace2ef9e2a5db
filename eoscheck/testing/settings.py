"""What a test session was told: `[tool.eoscheck]` in pyproject.toml, options over it, and over
both the marker of one test.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from eoscheck.cluster.spec import ClusterSpec, Provider
from eoscheck.errors import UsageError, did_you_mean

_TABLE = "[tool.eoscheck]"
_MARKER = "the marker eos"
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Settings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"
):
    """Keys of `[tool.eoscheck]`; those that are options too have the same name behind `--eos-`.

    `cluster`: the provider (None: a scenario's own, or embedded); `seeds`: with how many a test is
    run, beginning with `seed` (None: a scenario's own, or 1); `set` are `dotted.key=value`;
    `report` is the folder of run folders, of which only those of tests that failed stay (`keep`).
    """

    cluster: Provider | None = None
    bootstrap_server: str | None = None
    command_config: str | None = None
    brokers: int | None = None
    kafka_version: str | None = None
    kafka_image: str | None = None
    scenario: str | None = None
    base: str | None = None
    guarantee: str | None = None
    instances: int | None = None
    seed: int | None = None
    seeds: int = 1
    set: list[str] = []
    report: str = "reports"
    keep: Literal["failed", "all"] = "failed"

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UsageError(f"seeds must be at least 1, not {self.seeds}")
        if self.kafka_image is not None and self.cluster != "docker":
            raise UsageError("kafka-image needs --eos-cluster docker: use that, or leave it out")
        if self.cluster == "external" and self.bootstrap_server is None:
            raise UsageError(
                "--eos-cluster external needs --eos-bootstrap-server host:port (or "
                f"bootstrap-server in {_TABLE})"
            )

    @property
    def cluster_spec(self) -> ClusterSpec:
        """Of the cluster that tests share."""
        return self.over(ClusterSpec())

    def over(self, spec: ClusterSpec) -> ClusterSpec:
        """A scenario's own `[cluster]`, and over it what this session says. Of a cluster that is
        not ours a scenario has nothing to say."""
        if self.cluster == "external":
            return ClusterSpec(
                provider="external",
                bootstrap_server=self.bootstrap_server,
                command_config=self.command_config,
            )
        said = {
            "brokers": self.brokers,
            "kafka_version": self.kafka_version,
            "image": self.kafka_image,
            "provider": self.cluster,
        }
        given = {key: value for key, value in said.items() if value is not None}
        return msgspec.structs.replace(spec, **given)


class Marked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `@pytest.mark.eos(...)` says. `seeds`: how many, or which."""

    scenario: str | None = None
    base: str | None = None
    guarantee: str | None = None
    seeds: int | list[int] | None = None
    instances: int | None = None
    set: list[str] = []


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What one test is run with. `seeds` is empty where nobody said any: then the scenario's own
    one is taken."""

    scenario: str | None
    base: str | None
    guarantee: str | None
    instances: int | None
    seeds: Sequence[int]
    overrides: Sequence[str]


def read_settings(root: Path, given: Mapping[str, Any]) -> Settings:
    """`given` are the options, by their names here; None where one was not given.

    Raises UsageError for a key or a value that cannot be, with the nearest right one.
    """
    path = root / "pyproject.toml"
    table: dict[str, Any] = {}
    if path.is_file():
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not TOML: {error}") from error
        table = table.get("eoscheck", {})
    said = _checked(table, Settings, f"{path}: {_TABLE}")
    options = {
        key.replace("_", "-"): value for key, value in given.items() if value not in (None, [])
    }
    try:
        return msgspec.convert({**msgspec.to_builtins(said), **options}, Settings)
    except msgspec.ValidationError as error:
        raise UsageError(f"options --eos-...: {error}") from error


def read_marker(said: Iterable[tuple[Sequence[Any], Mapping[str, Any]]]) -> Marked:
    """Of the arguments of a test's markers, the nearest last: it has the last word."""
    merged: dict[str, Any] = {}
    for positional, named in said:
        if positional:
            raise UsageError(
                f"{_MARKER} takes names only, as in eos(scenario={str(positional[0])!r})"
            )
        merged |= named
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in merged.items()}
    return _checked(plain, Marked, _MARKER)


def asked_for(marked: Marked, settings: Settings, *, given: Mapping[str, Any]) -> Asked:
    """An option has the last word, for it was just typed; then the marker, then the table."""

    def chosen(name: str) -> Any:
        for said in (given.get(name), getattr(marked, name)):
            if said is not None:
                return said
        return getattr(settings, name)

    typed = given.get("set") or []
    return Asked(
        scenario=chosen("scenario"),
        base=chosen("base"),
        guarantee=chosen("guarantee"),
        instances=chosen("instances"),
        seeds=_seeds(chosen("seeds"), first=settings.seed),
        overrides=[*([] if typed else settings.set), *marked.set, *typed],
    )


def _seeds(seeds: int | list[int], *, first: int | None) -> Sequence[int]:
    if isinstance(seeds, list):
        if not seeds or len(set(seeds)) != len(seeds):
            raise UsageError(f"{_MARKER}: seeds are different numbers, one or more, not {seeds}")
        return seeds
    if seeds < 1:
        raise UsageError(f"{_MARKER}: seeds must be at least 1, not {seeds}")
    if seeds == 1 and first is None:
        return ()
    return range(1 if first is None else first, (1 if first is None else first) + seeds)


def _checked(table: Mapping[str, Any], kind: type[_Struct], where: str) -> _Struct:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in table:
        if key not in known:
            hint = did_you_mean(str(key).replace("_", "-"), known) if known else ""
            raise UsageError(f"{where} has no {key!r}{hint}: it knows {', '.join(known)}")
    try:
        return msgspec.convert(dict(table), kind)
    except (msgspec.ValidationError, UsageError) as error:
        raise UsageError(f"{where}: {error}") from error
