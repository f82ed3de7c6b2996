"""Which files may hold a pickle. Loading one runs the code in it, so none is sent or read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from hub_utils.errors import UnsafeWeightsError
from hub_utils.names import RepoType

_OBJECT_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
PICKLE_SUFFIXES = (
    *_OBJECT_SUFFIXES,
    *(".bin", ".ckpt", ".pdparams", ".t7", ".mar"),  # weights
    *(".npy", ".npz"),  # may hold Python objects
    *(".h5", ".keras"),  # may hold marshalled code
)
EXPORTS = ("*.gguf", "onnx/*", "openvino/*")  # a model's weights once more, for other programs
_SAFE_SUFFIXES = (".safetensors", ".gguf", ".onnx")

_ZIP = b"PK\x03\x04"
_PICKLE_PROTOCOLS = tuple(bytes([0x80, version]) for version in (2, 3, 4, 5))
_MAX_HEADER_BYTES = 100_000_000


def ignored_patterns(type: RepoType, *, exports: bool = True) -> list[str]:
    """What is never downloaded. Of a data set only Python objects: .npy or .h5 is data there.

    exports: whether the same weights in the formats of other programs are wanted.
    """
    suffixes = PICKLE_SUFFIXES if type == "model" else _OBJECT_SUFFIXES
    others = () if exports or type != "model" else EXPORTS
    return [*(f"*{suffix}" for suffix in suffixes), *others]


def may_be_pickle(name: str) -> bool:
    """Whether the file's name is one that pickles go by."""
    return PurePosixPath(name).suffix.lower() in PICKLE_SUFFIXES


def refuse_pickles(folder: Path, names: Iterable[str]) -> None:
    """Raise UnsafeWeightsError naming the first file that is, or is named like, a pickle."""
    for name in names:
        if may_be_pickle(name) or starts_like_pickle(folder / name):
            raise UnsafeWeightsError(
                f"{name} may be a pickle, which can run code when it is loaded."
            )


def refuse_only_pickles(repo: str, names: Sequence[str]) -> None:
    """Raise UnsafeWeightsError if pickles are all the weights there are among `names`."""
    pickles = sorted(name for name in names if may_be_pickle(name))
    if pickles and not any(name.lower().endswith(_SAFE_SUFFIXES) for name in names):
        raise UnsafeWeightsError(
            f"{repo} has its weights only as {pickles[0]}, a pickle: loading it can run any code.",
            hint="Use a repository with .safetensors weights, or ask its author for them.",
        )


def refuse_disguised(repo: str, folder: Path) -> None:
    """Raise UnsafeWeightsError if a downloaded file is not what its name says."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        broken = path.suffix == ".safetensors" and not _has_safetensors_header(path)
        if broken or starts_like_pickle(path):
            raise UnsafeWeightsError(
                f"{name} in {repo} is not what its name says; nothing was loaded from it.",
                hint="Use another revision of the repository, or another repository.",
            )


def starts_like_pickle(path: Path) -> bool:
    """Whether the first bytes are a pickle's, or those of a torch archive around one."""
    with path.open("rb") as file:
        head = file.read(256)
    if head[:2] in _PICKLE_PROTOCOLS:
        return True
    # torch.save's zip begins with the entry "<name>/data.pkl".
    return head.startswith(_ZIP) and b"/data.pkl" in head


def _has_safetensors_header(path: Path) -> bool:
    """Eight bytes of length, then a JSON object of that length."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        opening = file.read(1)
    return opening == b"{" and 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8)
