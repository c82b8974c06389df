"""Serve one stand-in until standard input ends; the first line of standard output is its address.

python -m vendors hubspot --deals 20000 --latency 50 --limited
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from vendors.hubspot import HubSpot
from vendors.pipedrive import Pipedrive
from vendors.salesforce import Salesforce
from vendors.wire import Connection, Server, Vendor

VENDORS: dict[str, Callable[..., Vendor]] = {"hubspot": HubSpot, "pipedrive": Pipedrive, "salesforce": Salesforce}


async def serve(server: Server) -> None:
    """Serve on a free port of this machine until whoever started it closes our standard input."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("vendor", choices=VENDORS)
    parser.add_argument("--deals", type=int, default=1000)
    parser.add_argument("--moved", type=float, default=0.0, help="share of the deals that have moved")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds that each answer takes")
    parser.add_argument("--limited", action="store_true", help="keep the vendor's own rate limits")
    asked = parser.parse_args()
    vendor = VENDORS[asked.vendor](asked.deals, moved=asked.moved, limited=asked.limited)
    asyncio.run(serve(Server(vendor, asked.latency / 1000)))


if __name__ == "__main__":
    main()
