"""An index is opened from the Hub: checked, cached, rebuilt; and without any of our code."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub_utils.errors import DataError, LabError, RevisionNotFoundError
from hub_utils.pull import pull
from hub_utils.push import push_folder
from tests.training.index.made_index import make_index, sentences
from training.index import inference
from training.index.documents import Document
from training.index.encoder import load_encoder
from training.index.inference import index_texts, load, load_pulled
from training.index.manifest import FILE, write
from training.index.snippet import snippet
from training.index.stores.exact import ExactStore

ROOT = Path(__file__).parents[3]
TEXTS = sentences(80, seed=5)
QUERY = "rocket launch into orbit"


@pytest.fixture(scope="module")
def encoder(hub, tiny_encoder):
    """The tiny encoder, as it is on the Hub."""
    pushed = push_folder(tiny_encoder, hub.repo("search-encoder"), hub=hub, message="Add")
    return load_encoder(tiny_encoder, repo="lab/search-encoder", revision=pushed.revision)


@pytest.fixture(scope="module")
def made(encoder, tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("made"), TEXTS, encoder)


@pytest.fixture(scope="module")
def published(made, hub):
    """(id, commit) of the index on the Hub."""
    repo = hub.repo("sentences-index", "dataset")
    return str(repo), push_folder(made.folder, repo, hub=hub, message="Publish").revision


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder of this test's own."""
    monkeypatch.setattr(inference, "_cache_root", lambda _: tmp_path / "search")
    return tmp_path / "search"


def rows(index, **options):
    return [hit.row for hit in index.search(QUERY, 10, mode="dense", fold=False, **options).hits]


def exact_rows(made, encoder):
    found, _ = ExactStore(made.passages.vectors).search(encoder.encode_query(QUERY)[None], 10)
    return found[0].tolist()


def test_an_index_opens_by_its_id_and_answers(published, made, encoder, own_cache):
    index = load(published[0])
    assert (index.repo, index.revision, index.away) == (*published, False)
    assert index.manifest == made.manifest
    assert len(index) == len(TEXTS)
    assert rows(index) == exact_rows(made, encoder)
    assert index.search("puck", 3).hits
    index.close()


def test_a_device_by_name_is_taken_whatever_torch_says(
    published, made, encoder, hub, own_cache, monkeypatch
):
    import torch

    pulled = pull(hub.repo(published[0], "dataset"), hub=hub)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    index = load_pulled(pulled, store="exact", device="cpu")
    assert rows(index) == exact_rows(made, encoder)
    index.close()


def test_the_store_of_the_setting_takes_over_when_it_is_ready(
    published, made, encoder, own_cache, monkeypatch
):
    index = load(published[0])
    assert rows(index) == exact_rows(made, encoder)  # whatever answers
    assert index.prepare(60).name == "chroma"
    assert rows(index) == exact_rows(made, encoder)
    index.close()
    monkeypatch.setenv("LAB_SEARCH_STORE", "faiss-flat")
    other = load(published[0])
    assert other.prepare(60).name == "faiss-flat"
    other.close()


@pytest.mark.parametrize("name", ["exact", "chroma", "faiss-hnsw", "auto"])
def test_a_store_that_is_named_is_there_at_once(published, made, encoder, own_cache, name):
    index = load(published[0], store=name)
    assert index.store.name == ("exact" if name == "auto" else name)
    assert rows(index) == exact_rows(made, encoder)
    index.close()


def test_a_store_that_there_is_not_is_a_sentence(published, own_cache):
    with pytest.raises(LabError, match="no vector store 'pinecone'"):
        load(published[0], store="pinecone")


def test_a_folder_opens_too(made, encoder, own_cache):
    index = load(made.folder, store="exact")
    assert (index.repo, index.revision) == (made.folder.name, None)
    assert rows(index) == exact_rows(made, encoder)


def test_a_second_opening_reads_the_cache_and_not_the_shards(made, own_cache, monkeypatch):
    load(made.folder, store="chroma").close()

    def refuse(*_):
        raise AssertionError("the shards are read again")

    monkeypatch.setattr("training.index.mapped.iterate_shards", refuse)
    index = load(made.folder, store="chroma")
    assert isinstance(index.vectors, np.memmap)
    assert rows(index)
    index.close()


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_damaged_shard_is_named(made, encoder, own_cache, tmp_path, damage):
    bad = make_index(tmp_path / "bad", TEXTS, encoder)
    shard = bad.folder / bad.manifest.shards[1].path
    data = shard.read_bytes()
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(data[: len(data) // 2] if damage == "cut" else data[:-9] + bytes(9))
    with pytest.raises(DataError, match=re.escape(shard.name)) as caught:
        load(bad.folder)
    assert caught.value.hint


def test_a_damaged_cache_is_built_again_from_the_parquet(made, encoder, own_cache, caplog):
    load(made.folder, store="exact").close()
    for path in own_cache.rglob("vectors.f16"):
        path.write_bytes(path.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        index = load(made.folder, store="exact")
    assert "is built again" in caplog.text
    assert rows(index) == exact_rows(made, encoder)


def test_a_new_revision_is_not_answered_from_the_old_ones_cache(hub, encoder, tmp_path, own_cache):
    repo = hub.repo("changing-index", "dataset")
    for seed in (1, 2):
        texts = sentences(40, seed=seed)
        folder = tmp_path / str(seed)
        made = make_index(folder, texts, encoder)
        revision = push_folder(folder, repo, hub=hub, message="Publish").revision
        index = load(str(repo), store="chroma")
        assert index.revision == revision
        assert [hit.text for hit in index.search(QUERY, 10, mode="dense", fold=False).hits] == [
            texts[row] for row in exact_rows(made, encoder)
        ]
        index.close()


def test_where_no_cache_can_be_written_search_is_exact(published, made, encoder, own_cache, caplog):
    own_cache.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        index = load(published[0])
    assert "without a cache" in caplog.text
    assert index.prepare().name == "exact"
    assert rows(index) == exact_rows(made, encoder)


def test_an_encoder_of_another_revision_is_refused(made, encoder, own_cache, tmp_path, hub):
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(made.folder, folder)
    facts = replace(made.manifest.encoder, revision="b" * 40)
    write(folder, replace(made.manifest, encoder=facts))
    with pytest.raises(RevisionNotFoundError, match="search-encoder"):
        load(folder)


def test_a_folder_that_is_no_index_is_a_sentence(tmp_path, own_cache):
    with pytest.raises(DataError, match=FILE):
        load(tmp_path)


def test_own_documents_are_indexed_in_memory(encoder):
    documents = [
        Document(f"d{number}", "A letter", f"{text}.\n\n{text} again.", {"year": number})
        for number, text in enumerate(TEXTS[:12])
    ]
    index = index_texts([*documents, Document("copy", "A letter", documents[3].text, {})], encoder)
    hit = index.search(TEXTS[3], 1, mode="keyword").hits[0]
    assert (hit.document, hit.title, hit.metadata) == ("d3", "A letter", {"year": 3})
    assert "copy#0" in hit.duplicates
    assert index.place(QUERY).shape == (2,)
    assert (index.repo, index.revision, index.manifest) == ("", None, None)
    for passage in range(len(index)):
        row = index.passages
        document = next(
            d for d in documents if d.id == row.cell(passage, "document").replace("copy", "d3")
        )
        start, end = row.cell(passage, "start"), row.cell(passage, "end")
        assert document.text[start:end] == row.cell(passage, "text")


def test_documents_without_text_are_a_sentence(encoder):
    with pytest.raises(LabError, match="no text"):
        index_texts([Document("d", "", " ", {})], encoder)


@pytest.fixture(scope="module")
def chroma_server(tmp_path_factory):
    """`chroma run` on a free port in a folder of its own; its address."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [
        Path(sys.executable).with_name("chroma"),
        "run",
        "--path",
        folder,
        "--port",
        str(port),
    ]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    deadline = time.monotonic() + 60
    while not _answers(port):
        assert server.poll() is None, (folder / "log.txt").read_text()
        assert time.monotonic() < deadline
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait(30)


def _answers(port):
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_chroma_server_is_filled_once_and_answers(
    published, made, encoder, own_cache, chroma_server, monkeypatch
):
    from training.index.stores import chroma

    monkeypatch.setenv("CHROMA_URL", chroma_server)
    sent, add = [], chroma._add
    monkeypatch.setattr(chroma, "_add", lambda *args: sent.append(len(args[1])) or add(*args))
    for _ in range(2):
        index = load(published[0], store="chroma")
        assert rows(index) == exact_rows(made, encoder)
        assert rows(index, filters={"topic": "space"})
        index.close()
    assert sent == [len(TEXTS)]
    assert not list(own_cache.rglob("chroma.sqlite3"))


def test_a_chroma_server_that_is_away_is_a_sentence(published, own_cache, monkeypatch):
    monkeypatch.setenv("CHROMA_URL", "http://127.0.0.1:9")
    with pytest.raises(LabError, match=r"CHROMA_URL=http://127\.0\.0\.1:9 cannot be used"):
        load(published[0], store="chroma")
    index = load(published[0])  # the setting's own: exact search goes on
    with pytest.raises(LabError, match="CHROMA_URL"):
        index.prepare()
    assert index.search(QUERY, 3, fold=False).hits


def test_a_stranger_with_stock_libraries_finds_the_same_ten(
    published, made, encoder, own_cache, tmp_path
):
    code = snippet(published[0], made.manifest, example=QUERY)
    assert "training" not in code
    assert "hub_utils" not in code
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        env={**environment, "HF_HOME": str(tmp_path / "stranger")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = [line.split()[:2] for line in done.stdout.splitlines()]
    index = load(published[0], store="exact")
    hits = index.search(QUERY, 10, mode="dense", fold=False).hits
    assert [id for _, id in found] == [hit.id for hit in hits]
    assert [float(score) for score, _ in found] == pytest.approx([h.score for h in hits], abs=2e-3)


def test_the_manifest_is_all_that_the_snippet_needs(made):
    local = replace(made.manifest, encoder=replace(made.manifest.encoder, revision="sha256-12"))
    assert "revision" not in snippet("lab/x", local)
    assert made.manifest.encoder.revision in snippet("lab/x", made.manifest)
    assert json.loads((made.folder / FILE).read_text())["encoder"]["repo"] == "lab/search-encoder"
