"""Serve the embedded Hub.  Run: python -m hub_utils.local_hub --root .lab/hub [--port 8600]"""

from __future__ import annotations

import logging
import sys

from .server import ServeError, ServeOptions, build_parser, serve


def main() -> int:
    """0 after a normal stop, 2 with a sentence when the Hub cannot start."""
    arguments = build_parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    options = ServeOptions(
        root=arguments.root,
        port=arguments.port,
        token=arguments.token,
        while_used=arguments.while_used,
        seed=not arguments.no_seed,
        max_bytes=arguments.max_bytes,
    )
    try:
        serve(options)
    except ServeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
