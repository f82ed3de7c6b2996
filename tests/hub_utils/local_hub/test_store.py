"""The store without HTTP: commits, history, refs, what survives, what goes."""

import random
import subprocess
import threading

import pytest

from hub_utils.local_hub.errors import (
    BadRequest,
    EntryNotFound,
    RefExists,
    RepoExists,
    RepoNotFound,
    RevisionNotFound,
    StaleParent,
)
from hub_utils.local_hub.git_objects import GitRepo
from hub_utils.local_hub.store import (
    AddBytes,
    AddLfs,
    CopyLfs,
    DeleteFile,
    DeleteFolder,
    ListQuery,
    RepoKey,
    Store,
)


def commit(store, key, *operations, branch="main", **options):
    return store.commit(key, branch, operations, summary=options.pop("summary", "s"), **options)


def paths(store, key, revision="main"):
    return [e.path for e in store.tree(key, revision, recursive=True) if e.type == "file"]


def git(store, key, *arguments):
    folder = store.repo(key).path
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def add_lfs(store, key, tmp_path, content):
    source = tmp_path / "source.bin"
    source.write_bytes(content)
    return store.add_lfs_file(key, source)


def test_new_repository_has_one_commit_with_gitattributes(store, key):
    assert paths(store, key) == [".gitattributes"]
    assert [c.title for c in store.commits(key, "main")] == ["initial commit"]
    assert git(store, key, "fsck", "--strict") == ""


def test_name_is_taken_once_per_type(store, key):
    with pytest.raises(RepoExists):
        store.create_repo(key)
    store.create_repo(RepoKey("dataset", key.id))


def test_commit_applies_operations_in_order(store, key):
    first = commit(store, key, AddBytes("a.txt", b"1"), AddBytes("d/b.txt", b"2"))
    second = commit(
        store, key, DeleteFolder("d"), AddBytes("d/c.txt", b"3"), CopyLfs("a.txt", "e.txt")
    )
    assert paths(store, key) == [".gitattributes", "a.txt", "d/c.txt", "e.txt"]
    assert store.read(key, "main", "e.txt") == b"1"
    assert paths(store, key, first) == [".gitattributes", "a.txt", "d/b.txt"]
    assert [c.oid for c in store.commits(key, "main")][:2] == [second, first]
    assert git(store, key, "fsck", "--strict") == ""


def test_title_message_and_author_are_kept(store, key):
    commit(store, key, AddBytes("a", b"1"), summary="标题", description="body\n\nmore", author="é")
    info = store.commits(key, "main", limit=1)[0]
    assert (info.title, info.message, info.author) == ("标题", "body\n\nmore", "é")


def test_operations_that_change_nothing_make_no_commit(store, key):
    first = commit(store, key, AddBytes("a", b"1"))
    assert commit(store, key, AddBytes("a", b"1")) == first
    assert commit(store, key) == first


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (DeleteFile("missing"), EntryNotFound),
        (DeleteFolder("missing"), EntryNotFound),
        (DeleteFile("d"), EntryNotFound),
        (DeleteFolder("a"), EntryNotFound),
        (AddBytes("a/b", b""), BadRequest),
        (AddBytes("d", b""), BadRequest),
        (AddBytes("../x", b""), BadRequest),
        (AddBytes(".git/hooks/x", b""), BadRequest),
        (AddLfs("w", "0" * 64, 1), BadRequest),
        (CopyLfs("missing", "x"), EntryNotFound),
        (CopyLfs("d", "x"), BadRequest),
    ],
)
def test_commit_with_one_impossible_operation_changes_nothing(store, key, operation, error):
    head = commit(store, key, AddBytes("a", b"1"), AddBytes("d/x", b"2"))
    with pytest.raises(error):
        commit(store, key, AddBytes("fine", b""), operation)
    assert store.resolve(key, "main") == head
    assert "fine" not in paths(store, key)


def test_folder_that_loses_its_last_file_is_gone(store, key):
    commit(store, key, AddBytes("a/b/c.txt", b"1"))
    commit(store, key, DeleteFile("a/b/c.txt"))
    assert [e.path for e in store.tree(key, "main", recursive=True)] == [".gitattributes"]


def test_stale_parent_is_refused_and_the_current_one_lands(store, key):
    first = commit(store, key, AddBytes("a", b"1"))
    second = commit(store, key, AddBytes("b", b"1"), parent=first[:8])
    with pytest.raises(StaleParent, match="A commit has happened since"):
        commit(store, key, AddBytes("c", b"1"), parent=first)
    assert store.resolve(key, "main") == second


def test_many_files_in_one_commit_are_packed_and_read_back(store, key):
    commit(store, key, *(AddBytes(f"d{i % 7}/f{i}", b"%d" % i) for i in range(300)))
    assert len(paths(store, key)) == 301
    assert store.read(key, "main", "d3/f3") == b"3"
    assert git(store, key, "fsck", "--strict") == ""


def test_eight_threads_that_write_to_one_repository_all_land(store, key):
    def write(number):
        for i in range(4):
            commit(store, key, AddBytes(f"w{number}/f{i}", b"x"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(store.commits(key, "main", limit=100)) == 33
    expected = {f"w{n}/f{i}" for n in range(8) for i in range(4)} | {".gitattributes"}
    assert set(paths(store, key)) == expected


# -- large files ---------------------------------------------------------------------------------


def test_large_file_is_read_from_disk_and_git_holds_its_pointer(store, key, tmp_path):
    ref = add_lfs(store, key, tmp_path, b"W" * 5000)
    commit(store, key, AddLfs("w.bin", ref.sha256, ref.size))
    entry = store.entry(key, "main", "w.bin")
    assert (entry.size, entry.lfs.sha256) == (5000, ref.sha256)
    assert store.local_path(key, entry).read_bytes() == b"W" * 5000
    assert entry.lfs.pointer_size == len(store.blob(key, entry.oid))
    assert git(store, key, "cat-file", "-p", "main:w.bin").startswith("version https://git-lfs")


def test_hash_alone_does_not_attach_another_repositorys_object(store, key, tmp_path):
    other = RepoKey("model", "lab/other")
    store.create_repo(other)
    ref = add_lfs(store, key, tmp_path, b"secret")
    with pytest.raises(BadRequest, match="was not uploaded"):
        commit(store, other, AddLfs("w.bin", ref.sha256, ref.size))
    assert not store.has_lfs(other, ref.sha256)


def test_commit_that_lies_about_the_size_is_refused(store, key, tmp_path):
    ref = add_lfs(store, key, tmp_path, b"12345")
    with pytest.raises(BadRequest, match="has 5 bytes, the commit says 6"):
        commit(store, key, AddLfs("w.bin", ref.sha256, 6))


def test_deleting_a_repository_frees_only_objects_that_no_other_uses(store, key, tmp_path):
    other = RepoKey("dataset", "lab/other")
    store.create_repo(other)
    own, shared = add_lfs(store, key, tmp_path, b"own"), add_lfs(store, key, tmp_path, b"shared")
    add_lfs(store, other, tmp_path, b"shared")
    store.delete_repo(key)
    assert store.lfs.size(own.sha256) is None
    assert store.lfs.size(shared.sha256) == 6
    with pytest.raises(RepoNotFound):
        store.get_repo(key)


# -- refs ----------------------------------------------------------------------------------------


def test_revision_is_a_branch_a_tag_a_full_ref_or_a_commit(store, key):
    first = commit(store, key, AddBytes("a", b"1"))
    head = commit(store, key, AddBytes("a", b"2"))
    store.create_branch(key, "feat/x", first)
    store.create_tag(key, "v1", first)
    store.create_tag(key, "v2", "main", "two")
    wanted = {"main": head, "feat/x": first, "v1": first, "v2": head, "refs/heads/feat/x": first}
    wanted |= {first: first, head[:9]: head}
    assert {revision: store.resolve(key, revision) for revision in wanted} == wanted


@pytest.mark.parametrize(
    "revision", ["nope", "", "0" * 40, "../main", "refs/heads/../heads/main", "a\0", "main/", "abc"]
)
def test_unknown_revision_is_said_to_be_unknown(store, key, revision):
    with pytest.raises(RevisionNotFound):
        store.resolve(key, revision)


def test_blob_and_tree_ids_are_no_revisions(store, key):
    entry = store.entry(key, "main", ".gitattributes")
    with pytest.raises(RevisionNotFound):
        store.resolve(key, entry.oid)


def test_branch_goes_its_own_way(store, key):
    store.create_branch(key, "dev")
    commit(store, key, AddBytes("on-dev", b""), branch="dev")
    assert "on-dev" not in paths(store, key)
    assert "on-dev" in paths(store, key, "dev")
    store.delete_branch(key, "dev")
    assert [b.name for b in store.refs(key).branches] == ["main"]


@pytest.mark.parametrize("name", ["dev", "dev/sub"])
def test_branch_that_is_or_clashes_with_one_is_refused(store, key, name):
    store.create_branch(key, "dev")
    with pytest.raises(RefExists):
        store.create_branch(key, name)


def test_annotated_tag_keeps_its_message_and_lists_its_commit(store, key):
    store.create_tag(key, "v1", "main", "the first")
    assert git(store, key, "tag", "-l", "-n1", "v1").split(maxsplit=1) == ["v1", "the first"]
    assert store.refs(key).tags[0].target == store.resolve(key, "main")


def test_main_cannot_be_deleted(store, key):
    with pytest.raises(BadRequest):
        store.delete_branch(key, "main")


def test_squash_keeps_the_files_and_drops_the_history(store, key):
    commit(store, key, AddBytes("a", b"1"))
    commit(store, key, AddBytes("a", b"2"))
    store.squash(key, "main", "all in one")
    assert [c.title for c in store.commits(key, "main")] == ["all in one"]
    assert store.read(key, "main", "a") == b"2"
    assert {e.last_commit.title for e in store.tree(key, "main", expand=True)} == {"all in one"}


# -- last commits --------------------------------------------------------------------------------


def grow(store, key, rng, commits):
    """Random adds, changes and deletes; the commits that came out."""
    made = []
    for number in range(commits):
        there = [p for p in paths(store, key) if p != ".gitattributes"]
        operations = []
        if there and rng.random() < 0.4:
            operations.append(DeleteFile(rng.choice(there)))
        path = "/".join(rng.choice("abc") + str(depth) for depth in range(rng.randint(1, 3)))
        operations.append(AddBytes(f"{path}/f{rng.randint(0, 5)}", str(number).encode()))
        made.append(commit(store, key, *operations, summary=f"commit {number}"))
    return made


def last_by_git(store, key, revision, path):
    return git(store, key, "log", "-1", "--format=%H", revision, "--", path)


def last_by_store(store, key, revision):
    return {
        e.path: e.last_commit.oid for e in store.tree(key, revision, recursive=True, expand=True)
    }


def test_last_commits_are_those_that_git_log_finds(store, key):
    made = grow(store, key, random.Random(7), 25)
    for revision in ("main", made[10], made[3]):
        found = last_by_store(store, key, revision)
        assert found == {path: last_by_git(store, key, revision, path) for path in found}


def test_last_commits_of_a_branch_that_left_main_are_right(store, key):
    made = grow(store, key, random.Random(1), 6)
    store.create_branch(key, "dev", made[2])
    commit(store, key, AddBytes("a0/new", b""), branch="dev")
    commit(store, key, AddBytes("a0/newer", b""), branch="dev")
    found = last_by_store(store, key, "dev")
    assert found == {path: last_by_git(store, key, "dev", path) for path in found}


# -- the index is a cache ------------------------------------------------------------------------


def everything(store):
    query = ListQuery(include_private=True)
    return {
        record.key: (record, last_by_store(store, record.key, "main"))
        for kind in ("model", "dataset", "space")
        for record in store.list_repos(kind, query).items
    }


@pytest.fixture
def filled(store, key, tmp_path):
    """A store with history, a private Space and a large file; reopen it under another index."""
    grow(store, key, random.Random(3), 8)
    ref = add_lfs(store, key, tmp_path, b"large")
    commit(store, key, AddLfs("w.bin", ref.sha256, ref.size))
    commit(store, key, DeleteFile("w.bin"))  # reachable through history only
    space = RepoKey("space", "lab/app")
    store.create_repo(space, private=True, sdk="gradio")
    commit(store, space, AddBytes("README.md", b"---\nlicense: mit\nsdk: gradio\n---\n"))
    store.close()
    return store.root, everything(store), ref


@pytest.mark.parametrize("damage", ["lost", "garbage", "another version"])
def test_index_that_is_lost_or_broken_is_made_again(filled, key, damage):
    root, before, ref = filled
    index = root / "index.sqlite3"
    for leftover in root.glob("index.sqlite3-*"):
        leftover.unlink()
    if damage == "lost":
        index.unlink()
    elif damage == "garbage":
        index.write_bytes(b"no database " * 1000)
    else:
        import sqlite3

        with sqlite3.connect(index) as db:
            db.execute("PRAGMA user_version = 999")
        db.close()
    again = Store(root)
    assert everything(again) == before
    assert again.has_lfs(key, ref.sha256)
    assert again.get_repo(RepoKey("space", "lab/app")).private
    again.close()


def test_commit_that_git_has_and_the_index_missed_is_there_after_reopening(store, key):
    head = commit(store, key, AddBytes("README.md", b"---\nlicense: mit\n---\n"))
    store.close()
    repo = GitRepo(store.repo(key).path)
    # What a kill between the branch's move and the index leaves: git is ahead.
    child = git(store, key, "commit-tree", f"{head}^{{tree}}", "-p", head, "-m", "behind its back")
    repo.set_ref("refs/heads/main", child)
    again = Store(store.root)
    assert again.get_repo(key).sha == child
    assert last_by_store(again, key, "main")["README.md"] == head
    again.close()


def test_repositories_that_vanished_from_disk_vanish_from_listings(store, key):
    store.close()
    store.repo(key).path.rename(store.root / "elsewhere")
    again = Store(store.root)
    assert again.list_repos("model", ListQuery()).items == []
    again.close()


def test_half_made_repositories_and_temporary_files_are_swept(store, key):
    repo = store.repo(key).path
    leftovers = [
        repo / "objects/.tmp-1",
        repo / "refs/heads/.tmp-main-1",
        repo / "objects/pack/.tmp-2",
    ]
    for leftover in leftovers:
        leftover.write_bytes(b"")
    (store.root / "trash" / "half.git").mkdir()
    store.close()
    Store(store.root).close()
    assert not any(leftover.exists() for leftover in leftovers)
    assert list((store.root / "trash").iterdir()) == []


# -- repositories --------------------------------------------------------------------------------


def test_moved_repository_keeps_history_settings_and_large_files(store, key, tmp_path):
    ref = add_lfs(store, key, tmp_path, b"large")
    head = commit(store, key, AddLfs("w.bin", ref.sha256, ref.size))
    new = RepoKey("model", "team/renamed")
    store.move_repo(key, new)
    assert store.resolve(new, "main") == head
    assert store.has_lfs(new, ref.sha256)
    assert store.get_repo(new).author == "team"
    with pytest.raises(RepoNotFound):
        store.get_repo(key)


def test_move_onto_another_repository_is_refused(store, key):
    other = RepoKey("model", "lab/other")
    store.create_repo(other)
    with pytest.raises(RepoExists):
        store.move_repo(key, other)


def test_listing_pages_through_everything_once(store):
    keys = [RepoKey("dataset", f"lab/d{i}") for i in range(7)]
    for key in keys:
        store.create_repo(key, private=key.id.endswith("3"))
    seen, cursor = [], ""
    while True:
        page = store.list_repos("dataset", ListQuery(limit=2, cursor=cursor))
        seen += [record.key for record in page.items]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == [key for key in reversed(keys) if key.id != "lab/d3"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ListQuery(search="BERT"), {"lab/tiny-bert"}),
        (ListQuery(search="tiny"), {"lab/tiny-bert", "team/tiny-gpt"}),
        (ListQuery(search="100%"), set()),
        (ListQuery(author="team"), {"team/tiny-gpt"}),
        (ListQuery(filters=("license:mit",)), {"lab/tiny-bert", "team/tiny-gpt"}),
        (ListQuery(filters=("license:mit", "zh")), {"team/tiny-gpt"}),
        (ListQuery(pipeline_tag="text-generation"), {"team/tiny-gpt"}),
        (ListQuery(filters=("nothing",)), set()),
    ],
)
def test_listing_is_narrowed(store, query, found):
    cards = {
        "lab/tiny-bert": b"---\nlicense: mit\n---\n",
        "team/tiny-gpt": b"---\nlicense: mit\nlanguage: zh\npipeline_tag: text-generation\n---\n",
    }
    for name, card in cards.items():
        store.create_repo(RepoKey("model", name))
        commit(store, RepoKey("model", name), AddBytes("README.md", card))
    assert {record.key.id for record in store.list_repos("model", query).items} == found


def test_listing_sorts_both_ways(store):
    for name in ("b", "a", "c"):
        store.create_repo(RepoKey("model", f"lab/{name}"))
    names = {
        down: [
            r.key.name
            for r in store.list_repos("model", ListQuery(sort="id", descending=down)).items
        ]
        for down in (True, False)
    }
    assert names == {True: ["c", "b", "a"], False: ["a", "b", "c"]}
