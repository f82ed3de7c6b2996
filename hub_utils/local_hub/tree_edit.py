"""Change a git tree by paths, reading and writing only the folders that are touched."""

from __future__ import annotations

import stat

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID, Tree

from .errors import BadRequest, EntryNotFound
from .git_objects import tree_of
from .paths import shown

FILE_MODE, FOLDER_MODE = 0o100644, stat.S_IFDIR


class TreeEditor:
    """A mutable view of the tree `root` (None is an empty one); `write` gives the new trees."""

    def __init__(self, store: DiskObjectStore, root: bytes | None) -> None:
        self._store = store
        self._root = _Folder(tree_of(store, root) if root else Tree())

    def put(self, path: str, oid: bytes) -> None:
        """Place a blob, making the folders above it.

        Raises:
            BadRequest: a folder is in the place of the file, or a file in that of a folder.
        """
        *folders, name = path.encode().split(b"/")
        folder = self._root
        for part in folders:
            folder = self._child(folder, part) or folder.add(part, path)
        if name in folder.tree and stat.S_ISDIR(folder.tree[name][0]):
            raise BadRequest(f"{shown(path)} is a folder; delete it before adding a file there.")
        folder.tree[name] = (FILE_MODE, ObjectID(oid))

    def remove(self, path: str, *, folder: bool) -> None:
        """Take a file or a folder away.

        Raises:
            EntryNotFound: there is none; the words are those that the client looks for.
        """
        *folders, name = path.encode().split(b"/")
        parent = self._descend(folders)
        kind = "folder" if folder else "file"
        if (
            parent is None
            or name not in parent.tree
            or stat.S_ISDIR(parent.tree[name][0]) != folder
        ):
            raise EntryNotFound(f"A {kind} with this name doesn't exist: {shown(path)}")
        del parent.tree[name]
        parent.children.pop(name, None)

    def write(self) -> tuple[bytes, list[Tree]]:
        """The id of the new root and the trees that changed, children first."""
        changed: list[Tree] = []
        return self._root.write(changed), changed

    def _descend(self, parts: list[bytes]) -> _Folder | None:
        folder: _Folder | None = self._root
        for part in parts:
            folder = self._child(folder, part) if folder else None
        return folder

    def _child(self, folder: _Folder, name: bytes) -> _Folder | None:
        if name not in folder.children and name in folder.tree:
            mode, oid = folder.tree[name]
            if not stat.S_ISDIR(mode):
                return None
            folder.children[name] = _Folder(tree_of(self._store, oid))
        return folder.children.get(name)


class _Folder:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.children: dict[bytes, _Folder] = {}

    def add(self, name: bytes, path: str) -> _Folder:
        if name in self.tree:
            raise BadRequest(f"{shown(path)} needs a folder where the file {name.decode()!r} is.")
        self.tree[name] = (FOLDER_MODE, Tree().id)
        self.children[name] = _Folder(Tree())
        return self.children[name]

    def write(self, changed: list[Tree]) -> bytes:
        for name, child in self.children.items():
            oid = child.write(changed)
            if len(child.tree):
                self.tree[name] = (FOLDER_MODE, ObjectID(oid))
            else:
                del self.tree[name]  # git has no empty folders
        changed.append(self.tree)
        return self.tree.id
