"""`python -m eoscheck.network.leftovers HOST:PORT PROXY...`: removes proxies of a harness that died
from a Toxiproxy server that lives on. Run by the supervisor."""

from __future__ import annotations

import sys

from eoscheck.errors import InfrastructureError
from eoscheck.network.api import ToxiproxyApi


def main() -> None:
    host, _, port = sys.argv[1].rpartition(":")
    api = ToxiproxyApi(host=host, port=int(port))
    try:
        for name in api.proxies().keys() & set(sys.argv[2:]):
            api.destroy(name)
    except InfrastructureError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
