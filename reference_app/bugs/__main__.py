"""`python -m reference_app.bugs`: the zoo as a page of the documentation."""

from __future__ import annotations

import click

from reference_app.bugs import zoo

if __name__ == "__main__":
    click.echo(zoo.markdown(), nl=False)
