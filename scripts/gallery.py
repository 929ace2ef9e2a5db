"""The gallery: real reports, made now, and the README's picture of one (`make gallery`).

    python scripts/gallery.py [green] [red] [measures] [picture]

Each runs a real Kafka; all of it takes about a quarter of an hour on a quiet machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_GALLERY = Path("reports/gallery")
_PICTURE = _ROOT / "docs/images/report.png"
_MOST_BYTES = 2_000_000
_TIMEOUT_S = 1800.0

GREEN = ("run", "kills-and-brokers", "--seed", "2", "--trace")
RED = ("run", "late-commit")
"""A held EndTxn, released into the next transaction: half of it is committed, half is not."""
MEASURES = (
    ("recovery", "--kinds", "kill,kill-wiped,restart,pause", "--repetitions", "6",
     "--objective", "p50=10s"),
    ("cost", "--pairs", "3", "--records", "100000", "--latency-pairs", "2", "--seconds", "3"),
    ("commit-interval", "--intervals", "30ms,100ms,300ms,1s,3s", "--rounds", "2",
     "--seconds", "2", "--kills", "2"),
    ("restore", "--sizes", "5MB,10MB,20MB,40MB", "--check", "80MB", "--repetitions", "2"),
)  # fmt: skip


def main(wanted: Sequence[str]) -> int:
    for name in wanted or ("green", "red", "measures", "picture"):
        match name:
            case "green":
                _report("green", [_run(GREEN, verdict="pass")])
            case "red":
                _report("red-torn-transaction", [_run(RED, verdict="fail")])
            case "measures":
                _report("measures", [_eoscheck("measure", *each)["folder"] for each in MEASURES])
            case "picture":
                _picture(_ROOT / _GALLERY / "green.html")
            case _:
                raise SystemExit(f"there is no {name} in the gallery")
    return 0


def _run(arguments: Sequence[str], *, verdict: str) -> str:
    result = _eoscheck(*arguments)
    if result["verdict"] != verdict:
        raise SystemExit(f"{' '.join(arguments)} came out {result['verdict']}, not {verdict}")
    folder: str = result["runs"][0]["folder"]
    return folder


def _eoscheck(*arguments: str) -> dict[str, Any]:
    """What the command says as JSON; it runs in the repository's root, so that paths are short."""
    sys.stderr.write(" ".join(("eoscheck", *arguments, "\n")))
    done = subprocess.run(
        [_program(), *arguments, "--format", "json"],
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        text=True,
        timeout=_TIMEOUT_S,
    )
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"eoscheck ended with {done.returncode} and no JSON") from None
    return said


def _report(name: str, folders: Sequence[str]) -> None:
    page = _GALLERY / f"{name}.html"
    subprocess.run(
        [_program(), "report", *folders, "--output", str(page)],
        cwd=_ROOT,
        check=True,
        timeout=_TIMEOUT_S,
    )
    size = (_ROOT / page).stat().st_size
    if size > _MOST_BYTES:
        raise SystemExit(f"{page} has {size} bytes: more than {_MOST_BYTES}")


def _picture(page: Path) -> None:
    """The upper part of a report, as the README shows it."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("the picture needs Chromium: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shot = browser.new_page(viewport={"width": 1200, "height": 1330})
        shot.goto(page.as_uri())
        shot.screenshot(path=_PICTURE)
        browser.close()


def _program() -> str:
    return str(Path(sys.executable).with_name("eoscheck"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
