"""`python -m pulp_hugging_face.tests.hub`: one JSON line with the addresses, then serve."""

import argparse
import asyncio
import json
import signal
import sys
import threading

from .catalogue import CATALOGUES, standard_users
from .server import Fixture
from .world import World


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pulp_hugging_face.tests.hub", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--cdn-host", default="127.0.0.2")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cdn-port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--catalogue", choices=sorted(CATALOGUES), default="standard")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin is closed")
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> None:
    world = World()
    world.add_users(standard_users())
    fixture = Fixture(
        world,
        options.host,
        options.cdn_host,
        options.port,
        options.cdn_port,
        options.control_port,
    )
    for spec in CATALOGUES[options.catalogue](world.hub_url):
        world.declare(spec)
    await fixture.start()
    origins = (*fixture.origins, fixture.control)
    print(json.dumps({origin.name: origin.url for origin in origins}), flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.watch_stdin:
        threading.Thread(target=_until_end_of_input, args=(loop, ended), daemon=True).start()
    await ended.wait()
    await fixture.stop()


def _until_end_of_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """A test process that is killed does not leave its fixture behind."""
    sys.stdin.buffer.raw.read()
    loop.call_soon_threadsafe(ended.set)


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
