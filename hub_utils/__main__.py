"""python -m hub_utils: see cli.py."""

import sys

from hub_utils.cli import main

if __name__ == "__main__":
    sys.exit(main())
