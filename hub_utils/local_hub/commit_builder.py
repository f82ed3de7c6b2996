"""Turn operations into git objects: blobs, the trees that change, and what they say of LFS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile

from . import lfs
from .payload import AddBytes, AddLfs, CopyLfs, DeleteFile, DeleteFolder, Operation
from .tree_edit import TreeEditor

_LFS_PATTERNS = """
*.7z *.arrow *.avro *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lz4 *.mlmodel *.model *.msgpack
*.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors
saved_model/**/* *.tar.* *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*
"""
GIT_ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LFS_PATTERNS.split()
).encode()


@dataclass
class Built:
    """Objects to write, the new root tree, and the facts of the new blobs for the index."""

    tree: bytes
    objects: list[ShaFile] = field(default_factory=list)
    blobs: dict[str, tuple[int, str | None]] = field(default_factory=dict)


def build_tree(
    store: DiskObjectStore,
    root: bytes | None,
    operations: Sequence[Operation],
    *,
    lfs_size: Callable[[AddLfs], int],
    copied_blob: Callable[[CopyLfs], str],
) -> Built:
    """Apply operations in order to the tree `root`.

    `lfs_size` answers an object's size in bytes or refuses it; `copied_blob` answers the blob that
    a copy's source names.
    """
    editor, built = TreeEditor(store, root), Built(tree=b"")
    for operation in operations:
        match operation:
            case AddBytes(path, content):
                editor.put(path, _add(built, content, len(content), None))
            case AddLfs(path, sha256):
                size = lfs_size(operation)
                editor.put(path, _add(built, lfs.pointer(sha256, size), size, sha256))
            case CopyLfs(_, path):
                editor.put(path, copied_blob(operation).encode())
            case DeleteFile(path):
                editor.remove(path, folder=False)
            case DeleteFolder(path):
                editor.remove(path, folder=True)
    built.tree, trees = editor.write()
    built.objects += trees
    return built


def _add(built: Built, content: bytes, size: int, sha256: str | None) -> bytes:
    blob = Blob.from_string(content)
    built.objects.append(blob)
    built.blobs[blob.id.decode()] = (size, sha256)
    return blob.id


def make_commit(tree: bytes, parent: str | None, *, message: str, author: str) -> Commit:
    """A commit of now, UTC, by `author` of this Hub."""
    commit = Commit()
    commit.tree = ObjectID(tree)
    commit.parents = [ObjectID(parent.encode())] if parent else []
    commit.author = commit.committer = _identity(author)
    commit.author_time = commit.commit_time = int(time.time())  # noqa: TID251 - a date
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = message.encode("utf-8", "replace")
    return commit


def _identity(author: str) -> bytes:
    name = "".join(c for c in author if c.isprintable() and c not in "<>") or "unknown"
    return f"{name} <{name.replace(' ', '.')}@users.noreply.localhost>".encode("utf-8", "replace")
