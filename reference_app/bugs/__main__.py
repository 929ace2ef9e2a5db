"""`python -m reference_app.bugs`: the zoo as a page of the documentation, or for programs."""

from __future__ import annotations

import click

from reference_app.bugs import zoo


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="A list of objects, as `eoscheck certify` reads."
)
def main(*, as_json: bool) -> None:
    click.echo(zoo.as_json() if as_json else zoo.markdown(), nl=as_json)


if __name__ == "__main__":
    main()
