"""Walks a tutorial: its shell blocks, as they stand, in a copy of the project with a Hub of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT

SERVING = "python -m hub_utils run-space "  # a block of its own: it stays in its terminal
# Not of the project that a user clones and works in: large, or of no use to a tutorial.
LEFT_OUT = ("tests/", "benchmarks/", "docs/images/", "docs/tutorials/")
OURS = ("LAB_", "HF_", "GRADIO_")  # what the tests set for themselves


def blocks(page: Path) -> list[str]:
    """Its shell blocks, in order."""
    return re.findall(r"^```bash\n(.*?)^```", page.read_text("utf-8"), flags=re.M | re.S)


def copy_project(folder: Path) -> Path:
    """The project as after a clone, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@dataclass
class Walk:
    """A user who follows a tutorial in `folder`, with two terminals."""

    folder: Path
    serving: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, block: str) -> str:
        """Run a block to its end; gives its standard output. Its failure fails the test."""
        done = subprocess.run(
            ["bash", "-euc", block],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def leave_running(self, block: str) -> str:
        """Run a block in its own terminal; gives the first line that it says: the Space is up."""
        with (self.folder / "second-terminal.txt").open("w") as said:
            process = subprocess.Popen(
                ["bash", "-euc", f"exec {block}"],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self.serving.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (self.folder / "second-terminal.txt").read_text()
        return line

    def close(self) -> list[int]:
        """Ctrl-C in every terminal where something still runs; gives how each ended."""
        for process in self.serving:
            process.send_signal(signal.SIGINT)
        return [process.wait(60) for process in self.serving]

    def _environment(self) -> dict[str, str]:
        """A user's, with the project's Python first: nothing of the tests' own Hub."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}
