"""`python -m benchmarks.measured FOLDER...`: folders of `eoscheck measure` as a part of
docs/benchmarks.md, with a picture of each in docs/images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.document import DOCUMENT, MEASURED_PART, with_measured
from benchmarks.measured_sections import Named, sections
from benchmarks.picture import picture
from benchmarks.subjects import ROOT
from eoscheck.errors import EoscheckError
from eoscheck.explore.measures.folder import read_measured

IMAGES = ROOT / "docs/images"
_PREFACE = """\
## Measured with eoscheck measure

The numbers that people repeat, taken on the payments app with the commands that stand here, and
how sure each is ([how figures are taken](measures.md)). Written by `python -m benchmarks.measured`
from the folders of those commands; `make bench` keeps it.
"""


@click.command()
@click.argument("folders", metavar="[NAME=]FOLDER...", nargs=-1, required=True)
def main(folders: Sequence[str]) -> None:
    """Write what the measures in FOLDERS found into docs/benchmarks.md.

    \b
    Example:
      python -m benchmarks.measured "100 ms=reports/measure-cost-1" "1 s=reports/measure-cost-2" \\
        "no standby=reports/measure-recovery-1" "a standby=reports/measure-recovery-2"
    """
    try:
        named = [_named(each) for each in folders]
    except EoscheckError as error:
        raise click.ClickException(str(error)) from error
    for path in write(named, images=IMAGES, part=MEASURED_PART, document=DOCUMENT):
        click.echo(f"written: {path}")


def write(named: Sequence[Named], *, images: Path, part: Path, document: Path) -> list[Path]:
    """The pictures, the part that `make bench` keeps, and the document with it."""
    images.mkdir(parents=True, exist_ok=True)
    written = []
    for each in named:
        written.append(images / each.picture)
        title = f"{each.name}: {each.measured.title}"
        written[-1].write_text(picture(each.measured, title=title), encoding="utf-8")
    part.write_text("\n".join([_PREFACE, *sections(named)]), encoding="utf-8")
    text = document.read_text(encoding="utf-8")
    document.write_text(with_measured(text, part), encoding="utf-8")
    return [*written, part, document]


def _named(argument: str) -> Named:
    name, equals, folder = argument.rpartition("=")
    measured = read_measured(Path(folder))
    called = name if equals else measured.title
    slug = re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-")
    return Named(name=called, measured=measured, picture=f"measured-{measured.what}-{slug}.svg")


if __name__ == "__main__":
    main()
