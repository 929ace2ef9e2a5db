"""`eoscheck toxiproxy`: which server network faults would use; built where there is none."""

from __future__ import annotations

import click
import msgspec

from eoscheck.artifacts import cache_folder
from eoscheck.network.binary import find_or_build
from eoscheck.network.server import named_server
from eoscheck.network.sockets import require_counters
from eoscheck.process import Supervisor


@click.command("toxiproxy", epilog="Example: eoscheck toxiproxy")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text")
def command(*, output_format: str) -> None:
    """Say which Toxiproxy server network faults use, and build one where there is none.

    EOSCHECK_TOXIPROXY chooses one, by its path or by the URL of a server that runs here.
    """
    require_counters()
    server = named_server()
    if server is not None:
        where, version, source = f"http://{server.api.address}", server.api.version(), "URL"
    else:
        with Supervisor() as supervisor:
            found = find_or_build(supervisor=supervisor, cache=cache_folder(), progress=_progress)
        where, version, source = str(found.path), found.version, found.source
    if output_format == "json":
        click.echo(msgspec.json.encode({"server": where, "version": version, "source": source}))
    else:
        click.echo(f"Toxiproxy {version} from {source}: {where}")


def _progress(news: str) -> None:
    click.echo(news, err=True)
