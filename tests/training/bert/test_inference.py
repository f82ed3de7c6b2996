import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from transformers import pipeline

from hub_utils.errors import LabError, UnsafeWeightsError
from tests.tabs.lab import wait_until
from tests.training.conftest import make_examples
from training.bert import scoring as scoring_module
from training.bert.inference import load
from training.shared.device import probe


@pytest.fixture(scope="module")
def folder(finished):
    return finished[0] / "repository"


@pytest.fixture(scope="module")
def classifier(folder):
    return load(folder)


def test_labels_and_probabilities_are_the_pipelines(classifier, folder):
    texts = list(make_examples(60, seed=9).texts)
    tolerance = 0.02 if probe().bfloat16 else 1e-4
    stock = pipeline("text-classification", str(folder))(texts, truncation=True, top_k=None)
    for ours, theirs in zip(classifier.classify(texts), stock, strict=True):
        assert next(iter(ours)) == theirs[0]["label"]
        for row in theirs:
            assert ours[row["label"]] == pytest.approx(row["score"], abs=tolerance)


def test_all_labels_come_highest_first_and_sum_to_one(classifier):
    (scores,) = classifier.classify(["oil barrel"])
    assert set(scores) == set(classifier.labels) == {"crude", "earn", "grain"}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


def test_it_learned_the_topics(classifier):
    examples = make_examples(100, seed=11)
    found = [next(iter(scores)) for scores in classifier.classify(examples.texts)]
    assert sum(a == b for a, b in zip(found, examples.labels, strict=True)) >= 90


def test_no_texts_give_no_answers(classifier):
    assert classifier.classify([]) == []


def test_empty_and_endless_texts_are_answered(classifier):
    assert len(classifier.classify(["", "oil " * 5000])) == 2


def test_progress_counts_texts(classifier):
    heard = []
    classifier.classify(["oil"] * 10, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (10, 10)


def test_many_threads_get_their_own_answers(classifier):
    batches = [list(make_examples(20, seed=seed).texts) for seed in range(8)]
    expected = [classifier.classify(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(classifier.classify, batches))
    for ours, theirs in zip(found, expected, strict=True):
        assert [next(iter(s)) for s in ours] == [next(iter(s)) for s in theirs]


def test_texts_of_callers_that_come_together_share_a_pass_and_are_answered_as_alone(
    classifier, monkeypatch
):
    texts = make_examples(24, seed=21).texts
    expected = classifier.classify(texts)
    passes, scoring = [], scoring_module.logits_of
    first_runs, others_wait = threading.Event(), threading.Event()

    def counted(network, tokens, **options):
        passes.append(len(tokens))
        first_runs.set()
        assert others_wait.wait(60)
        return scoring(network, tokens, **options)

    monkeypatch.setattr(scoring_module, "logits_of", counted)
    with ThreadPoolExecutor(len(texts)) as pool:
        first = pool.submit(classifier.classify, texts[:1])
        assert first_runs.wait(60)
        others = [pool.submit(classifier.classify, [text]) for text in texts[1:]]
        wait_until(lambda: len(classifier._score._waiting) == len(others), what="all to wait")
        others_wait.set()
        found = [one.result()[0] for one in (first, *others)]
    assert passes == [1, len(others)]
    for ours, alone in zip(found, expected, strict=True):
        assert ours == pytest.approx(alone, abs=0.02)


def test_an_unknown_label_is_a_sentence(classifier):
    with pytest.raises(LabError, match="no label 'weather'"):
        classifier.attribute("oil", "weather")


def test_weights_that_are_only_a_pickle_are_refused(folder, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(folder, bad)
    (bad / "model.safetensors").unlink()
    (bad / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(UnsafeWeightsError, match=r"pytorch_model\.bin"):
        load(bad)


def test_a_folder_that_is_no_classifier_is_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LabError, match="cannot be opened"):
        load(tmp_path)


def test_max_tokens_is_what_it_was_trained_with(classifier):
    assert classifier.max_tokens == 64
