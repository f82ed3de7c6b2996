"""Files that are whole or not there, also when the process is killed or the disk is full."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_utils.errors import NO_ROOM, LabError


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; at the end of the block it takes the place of `path`.

    Raises LabError if the disk is full; then, as after any error, `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with disk_room(path.parent):
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def disk_room(folder: Path) -> Iterator[None]:
    """Inside, a full disk is a sentence that names the folder."""
    try:
        yield
    except Exception as error:
        if _errno_of(error) in NO_ROOM:
            raise LabError(
                f"The disk is full: a file in {folder} could not be written.",
                hint="Free some space and run the same command with --resume.",
            ) from None
        raise


def _errno_of(error: Exception) -> int | None:
    """What the system said. safetensors has it only in its message: "… (os error 28)"."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found and type(error).__name__ == "SafetensorError" else None


def write_text(path: Path, text: str) -> None:
    """Replace a file's text as one."""
    with written(path) as partial:
        partial.write_text(text, "utf-8")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other process that asks the same works in `folder`; it ends with its process.

    Raises LabError if another one does.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LabError(
                f"Process {file.read().strip() or 'of another user'} works in {folder} already.",
                hint="Wait until it is done, or give another folder with --output-dir.",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
