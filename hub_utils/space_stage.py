"""Write the files of a bundle's Space into a folder, as they are then uploaded.

    stage(read_bundle(Path("spaces/lab")), folder, project=..., hardware="zero", decided={...})

The card gets what only the deployment knows, and is checked again before anything is sent.
"""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from hub_utils.bundle import CARD, MANIFEST, REQUIREMENTS, Bundle, Hardware, replaced
from hub_utils.cards import split_card
from hub_utils.errors import BundleError
from hub_utils.space_card import check_front_matter, read_front_matter

PYTHON = "3.12"  # the newest that ZeroGPU runs (its documentation, mid 2026)
_SKIPPED = ("__pycache__", "*.pyc", "*.pyi", ".*")


def stage(
    bundle: Bundle,
    target: Path,
    *,
    project: Path,
    hardware: Hardware,
    decided: Mapping[str, str | list[str]],
) -> None:
    """Write the Space's files into the empty folder `target`.

    project: the folder that `include` is relative to; decided: fields of the card that the
    deployment decides, such as suggested_hardware, models, preload_from_hub; empty ones stay out.
    """
    for path in _chosen(bundle, project):
        _copy(path, target / path.relative_to(project))
    for name, path in _own_files(bundle).items():
        _copy(path, target / name)
    card = bundle.folder / CARD
    (target / CARD).write_text(_card(card, decided), "utf-8")
    lines = bundle.file(REQUIREMENTS).read_text("utf-8").splitlines()
    wanted = replaced([*lines, *bundle.packages], bundle.requirements.get(hardware, ()))
    (target / REQUIREMENTS).write_text("\n".join(wanted) + "\n", "utf-8")


def _chosen(bundle: Bundle, project: Path) -> list[Path]:
    chosen: list[Path] = []
    for pattern in bundle.include:
        found = [path for path in sorted(project.glob(pattern)) if _wanted(bundle, path, project)]
        if not found:
            raise BundleError(
                f"{bundle.folder / MANIFEST} includes {pattern!r}, which matches no file.",
                hint=f"Patterns are relative to {project}.",
            )
        chosen += found
    return sorted(set(chosen))


def _wanted(bundle: Bundle, path: Path, project: Path) -> bool:
    relative = path.relative_to(project)
    return (
        path.is_file()
        and not any(fnmatch.fnmatch(part, skip) for part in relative.parts for skip in _SKIPPED)
        and not any(fnmatch.fnmatch(relative.as_posix(), pattern) for pattern in bundle.exclude)
    )


def _own_files(bundle: Bundle) -> dict[str, Path]:
    """What lies in the bundle's folder, and in its base's what the bundle does not bring itself."""
    folders = [folder for folder in (bundle.base, bundle.folder) if folder is not None]
    files = {name: path for folder in folders for name, path in _files(folder)}
    return {name: path for name, path in sorted(files.items()) if name != MANIFEST}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        skipped = any(fnmatch.fnmatch(part, skip) for part in relative.parts for skip in _SKIPPED)
        if path.is_file() and not skipped:
            yield relative.as_posix(), path


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise BundleError(
            f"{source} and another file would both be {target.name} in the Space.",
            hint="Leave one of them out in bundle.toml.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _card(path: Path, decided: Mapping[str, str | list[str]]) -> str:
    """The Space's card: as written, with what only the deployment knows."""
    import yaml

    text = path.read_text("utf-8")
    known = {"sdk_version": _installed("gradio"), "python_version": PYTHON, **decided}
    content = {
        **read_front_matter(text, where=path),
        **{key: value for key, value in known.items() if value},
    }
    check_front_matter(content, where=path)
    header = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{header}---\n{split_card(text)[1]}"


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise BundleError(
            f"{package} is not installed here, so the Space's version cannot be chosen.",
            hint=f"Run: pip install {package}",
        ) from error
