"""What the settings of memory change, each in a process of its own: they last as long as it."""

import platform
import subprocess
import sys
from pathlib import Path

from training.shared.memory import COLLECT_AFTER

ROOT = Path(__file__).parents[3]
GLIBC = platform.libc_ver()[0] == "glibc"

# Blocks of 20 MiB come and go; the kernel gives pages again to those that were given back to it.
PAGES_GIVEN = """
import resource, torch
from training.shared.memory import keep_freed_memory
told = {keep} and keep_freed_memory()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def rounds(count):
    for _ in range(count): a, b = torch.ones(5 * 2**20), torch.ones(9 * 2**20); del a, b
rounds(3)
before = faults()
rounds(20)
print(told, faults() - before)
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_freed_memory_is_used_again_where_the_c_library_is_glibc() -> None:
    (_, given), (told, kept) = (
        run(PAGES_GIVEN.format(keep=keep)).split() for keep in (False, True)
    )
    assert told == str(GLIBC)
    assert not GLIBC or int(kept) < int(given) / 3


def test_cycles_are_looked_for_rarely_and_not_at_the_end() -> None:
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"  # runs after what follows
        "from training.shared.memory import collect_rarely\n"
        "collect_rarely(); print(gc.get_threshold()[0])"
    )
    assert run(code).split() == [str(COLLECT_AFTER), "True"]
