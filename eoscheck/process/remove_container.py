"""What the supervisor runs once the harness is gone: `python -m ... container|network NAME`."""

from __future__ import annotations

import sys

from eoscheck.errors import InfrastructureError
from eoscheck.process.container import remove_container, remove_network


def main() -> None:
    kind, name = sys.argv[1:]
    try:
        (remove_network if kind == "network" else remove_container)(name)
    except InfrastructureError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
