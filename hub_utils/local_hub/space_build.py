"""Make a Space ready to run: its files in a folder of their own, its packages in an environment
of their own that reuses what is installed here and has pip install only what is missing.

    ROOT/spaces/NAMESPACE/NAME/app    the files of main
                               env    the environment; kept, so that nothing is installed twice
                               home   HOME and HF_HOME of its processes
"""

from __future__ import annotations

import os
import shutil
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .card_facts import parse_card
from .errors import EntryNotFound
from .paths import check_path, shown
from .records import RepoKey
from .space_requirements import base_packages, check, requirement_lines
from .store import Store

DEFAULT_APP = "app.py"
# What pip may need to reach its index; nothing else of the Hub's environment goes there.
_FOR_PIP = ("HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_FOR_PIP_PREFIXES = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


class BuildError(Exception):
    """The Space cannot be built; the text says why."""


@dataclass(frozen=True)
class SpaceFolders:
    """Where a Space lives on the disk."""

    home: Path
    app: Path
    environment: Path

    @classmethod
    def of(cls, root: Path, key: RepoKey) -> SpaceFolders:
        """The folders of a Space of the Hub in `root`."""
        base = root / "spaces" / key.namespace / key.name
        return cls(base / "home", base / "app", base / "env")

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.environment / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where pip installs."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.environment / "lib" / version / "site-packages"

    def remove(self) -> None:
        """Delete everything; the repository has the files."""
        shutil.rmtree(self.app.parent, ignore_errors=True)


@dataclass(frozen=True)
class Built:
    """A Space that can be started: `app_file` relative to its folder."""

    revision: str
    app_file: str


Say = Callable[[str], None]
Install = Callable[[list[str], Mapping[str, str]], int]  # command, environment → exit code


def build(
    store: Store, key: RepoKey, folders: SpaceFolders, *, say: Say, install: Install
) -> Built:
    """Build main of a Space, saying what is done.

    Raises:
        BuildError: it is no Gradio Space, has no app file, or pip cannot install what it needs.
    """
    revision = store.resolve(key, "main")
    say(f"Building {key.id} at {revision[:12]}")
    card = _card(store, key, revision)
    sdk = card.get("sdk") or store.get_repo(key).sdk
    if sdk != "gradio":
        raise BuildError(f"The embedded Hub runs Spaces with sdk: gradio, not {shown(str(sdk))}.")
    app_file = _app_file(card)
    count = _write_files(store, key, revision, folders.app)
    say(f"{count} files written")
    if not (folders.app / app_file).is_file():
        raise BuildError(f"There is no {app_file}; name the Space's file in its card: app_file.")
    _say_python(card, say)
    _make_environment(folders)
    _install(_requirements(card, folders.app), folders, say=say, install=install)
    say("Build finished")
    return Built(revision, app_file)


def _card(store: Store, key: RepoKey, revision: str) -> Mapping[str, Any]:
    try:
        text = store.read(key, revision, "README.md").decode("utf-8", "replace")
    except EntryNotFound:
        return {}
    return parse_card(text)[0]


def _app_file(card: Mapping[str, Any]) -> str:
    return check_path(str(card.get("app_file") or DEFAULT_APP))


def _write_files(store: Store, key: RepoKey, revision: str, folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    files = [e for e in store.tree(key, revision, recursive=True) if e.type == "file"]
    for entry in files:
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        stored = store.local_path(key, entry)
        if stored:
            shutil.copyfile(stored, target)
        else:
            target.write_bytes(store.blob(key, entry.oid))
    return len(files)


def _say_python(card: Mapping[str, Any], say: Say) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    asked = str(card.get("python_version") or here)
    if asked != here:
        say(f"The card asks for Python {asked}; this machine runs it with {here}")


def _make_environment(folders: SpaceFolders) -> None:
    """A virtual environment that falls back on the packages this Hub runs with."""
    for folder in (folders.home / "tmp", folders.environment):
        folder.mkdir(parents=True, exist_ok=True)
    if not folders.python.exists():
        venv.create(folders.environment, symlinks=True)
    base = "\n".join(base_packages())
    (folders.packages / "packages-of-the-hub.pth").write_text(base + "\n", "utf-8")


def _requirements(card: Mapping[str, Any], app: Path) -> list[str]:
    """What the real Hub would install: Gradio by `sdk_version`, then requirements.txt."""
    version = card.get("sdk_version")
    file = app / "requirements.txt"
    listed = requirement_lines(file.read_text("utf-8", "replace")) if file.is_file() else []
    return [f"gradio=={version}" if version else "gradio", *listed]


def _install(lines: list[str], folders: SpaceFolders, *, say: Say, install: Install) -> None:
    missing = []
    for checked in check(lines, [str(folders.packages), *base_packages()]):
        if not checked.needed:
            say(f"{checked.line}: not for this machine")
        elif checked.version:
            say(f"{checked.line}: satisfied by {checked.version}")
        else:
            say(f"{checked.line}: to be installed")
            missing.append(checked.line)
    if not missing:
        return
    wanted = folders.home / "missing.txt"
    wanted.write_text("\n".join(missing) + "\n", "utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(folders.python), "install"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    if install([*command, "-r", str(wanted)], _pip_environment(os.environ)):
        raise BuildError(f"pip could not install {', '.join(missing)}; the build log says why.")


def _pip_environment(env: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in env.items()
        if name in _FOR_PIP or name.upper().startswith(_FOR_PIP_PREFIXES)
    }
    return {**kept, "PATH": os.defpath}
