"""What a Hub gets: a folder that stock libraries open, a card, and no commit without a change."""

from dataclasses import replace

import numpy as np
import pytest

from hub_utils.cards import front_matter, snippet_of
from hub_utils.names import RepoId
from hub_utils.push import push_folder
from tests.training.index.conftest import Documents, make_rows
from training.index.build import build
from training.index.config import IndexConfig
from training.index.documents import Document
from training.index.encoder import load_encoder
from training.index.inference import load
from training.index.manifest import Source, read
from training.index.map import read_map
from training.index.publish import source_credits, write_repository
from training.index.shards import read_shards
from training.shared.progress import Progress

REPO = RepoId("lab", "letters-index", "dataset")
SMALL_FILES = {"README.md", "evaluation.json", "manifest.json", "map.parquet"}


@pytest.fixture(scope="module")
def encoder(tiny_encoder, hub):
    repo = RepoId("lab", "tiny-encoder", "model")
    pushed = push_folder(tiny_encoder, repo, hub=hub, message="encoder")
    return load_encoder(tiny_encoder, repo=str(repo), revision=pushed.revision)


@pytest.fixture(scope="module")
def complete(encoder):
    """Build and complete the index of these rows in a folder; (folder, outcome)."""

    def make(rows, output, *, previous=None, **more):
        documents = Documents([document(row) for row in rows])
        built = build(
            documents,
            encoder,
            IndexConfig(overlap_tokens=8, shards=4),
            output=output,
            previous=previous,
            progress=Progress("index", output, quiet=True),
        )
        return built.folder, write_repository(built.folder, encoder, REPO, **more)

    return make


@pytest.fixture(scope="module")
def first(complete, tmp_path_factory):
    return complete(make_rows(40), tmp_path_factory.mktemp("first"))


def document(row):
    metadata = {"topic": row["topic"], "year": row["year"]}
    return Document(id=row["id"], title=row["title"], text=row["text"], metadata=metadata)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_folder_holds_all_that_the_manifest_names(first):
    folder, outcome = first
    manifest = read(folder)
    assert manifest == outcome.manifest
    assert (folder / manifest.keyword["path"]).is_dir()
    places = read_map(folder, read_shards(folder, manifest).table["id"])
    assert places.shape == (manifest.counts.passages, 2)
    assert np.isfinite(places).all()


def test_the_card_opens_the_shards_and_nothing_else(first):
    folder, _ = first
    card = (folder / "README.md").read_text("utf-8")
    (config,) = front_matter(card)["configs"]
    (files,) = config["data_files"]
    matched = {path.relative_to(folder).as_posix() for path in folder.glob(files["path"])}
    assert matched == {shard.path for shard in read(folder).shards}
    compile(snippet_of(card), "snippet", "exec")


def test_the_card_says_what_there_is_and_who_made_the_vectors(first, encoder):
    folder, outcome = first
    card = (folder / "README.md").read_text("utf-8")
    counts = outcome.manifest.counts
    assert f"{counts.documents:,} documents as {counts.passages:,} passages" in card
    assert f"`lab/tiny-encoder` at `{encoder.revision}`" in card
    assert "`letters.jsonl`" in card
    assert "| `topic` |" in card or "| topic |" in card
    assert str(folder) not in card
    assert "](pictures/map.png)" in card
    assert (folder / "pictures" / "map.png").read_bytes().startswith(b"\x89PNG")


def test_the_check_finds_documents_by_their_own_sentences(first):
    _, outcome = first
    assert set(outcome.checked) == {"hybrid", "dense", "keyword"}
    # The made-up texts share their few words; at random it would be 0.1.
    assert outcome.checked["keyword"].mrr_at_10 > 0.3
    assert len(outcome.checked["keyword"].queries) >= 30


def test_the_column_that_colours_tells_most_groups_apart(first):
    _, outcome = first
    assert outcome.groups == "year"  # ten years, three topics


def test_the_same_documents_give_the_same_bytes(first, complete, tmp_path):
    again, _ = complete(make_rows(40), tmp_path)
    assert contents(again) == contents(first[0])


def test_a_second_publication_makes_no_commit_and_a_change_touches_only_what_it_must(
    first, complete, tmp_path, hub
):
    rows = make_rows(40)
    one = push_folder(first[0], REPO, hub=hub, message="first")
    again, _ = complete(rows, tmp_path / "again", previous=first[0])
    assert not push_folder(again, REPO, hub=hub, message="again").changed

    rows[7] = {**rows[7], "text": "The zeppelin is new. " + rows[7]["text"]}
    changed, _ = complete(rows, tmp_path / "changed", previous=first[0])
    two = push_folder(changed, REPO, hub=hub, message="changed")
    assert two.revision != one.revision
    before, after = contents(first[0]), contents(changed)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    shards = {path for path in touched if path.startswith("data/")}
    assert len(shards) == 1
    assert touched - shards - SMALL_FILES <= {"keyword/index.safetensors", "pictures/map.png"}

    index = load(str(REPO), revision=two.revision, store="exact")
    assert index.search("zeppelin", mode="keyword").hits[0].document == rows[7]["id"]
    old = read_map(first[0], index.passages.table["text_hash"], column="text_hash")
    kept = np.isfinite(old).all(axis=1)
    assert 0.9 < kept.mean() < 1
    np.testing.assert_array_equal(index.places[kept], old[kept])


def test_the_source_card_gives_licence_and_language(first, hub, tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-4.0\nlanguage: en\n---\n", "utf-8")
    source = push_folder(tmp_path, RepoId("lab", "letters", "dataset"), hub=hub, message="card")
    manifest = replace(first[1].manifest, source=Source("lab/letters", source.revision))
    credits = source_credits(manifest, hub=hub)
    assert (credits.license, credits.language) == ("cc-by-4.0", ("en",))
    gone = replace(manifest, source=Source("lab/none", "b" * 40))
    assert source_credits(gone, hub=hub).license == "unknown"
    assert source_credits(first[1].manifest, hub=hub).license == "unknown"
