"""Run: python -m training RECIPE …"""

import sys

from training.cli import main
from training.shared.memory import collect_rarely, keep_freed_memory

if __name__ == "__main__":
    collect_rarely()
    keep_freed_memory()
    sys.exit(main())
