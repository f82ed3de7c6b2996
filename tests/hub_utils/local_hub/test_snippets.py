import ast
from datetime import datetime, timezone

import pytest

from hub_utils.local_hub.records import RepoKey, RepoRecord
from hub_utils.local_hub.snippets import client_setup, snippet_for

NOW = datetime.now(timezone.utc)


def record(kind="model", **facts):
    return RepoRecord(RepoKey(kind, "lab/x"), False, "0" * 40, NOW, NOW, **facts)


@pytest.mark.parametrize(
    ("library", "task", "call"),
    [
        ("transformers", "text-classification", "pipeline("),
        ("transformers", "image-classification", "AutoModel"),
        ("sentence-transformers", None, "SentenceTransformer("),
        ("peft", None, "AutoPeftModel"),
        ("open_clip", None, '"hf-hub:lab/x"'),
        ("diffusers", None, "DiffusionPipeline"),
    ],
)
def test_each_library_loads_a_model_its_own_way(library, task, call):
    language, code = snippet_for(record(library_name=library, pipeline_tag=task))
    assert language == "python"
    assert call in code
    assert "lab/x" in code
    ast.parse(code)


def test_data_sets_load_with_datasets():
    _language, code = snippet_for(record("dataset"))
    assert 'load_dataset("lab/x")' in code
    ast.parse(code)


def test_anything_else_can_be_downloaded():
    assert snippet_for(record()) == ("bash", "hf download lab/x")
    assert snippet_for(record("space")) == ("bash", "hf download lab/x --repo-type space")


def test_clients_need_two_variables():
    assert client_setup("http://127.0.0.1:1") == (
        "export HF_ENDPOINT=http://127.0.0.1:1\nexport HF_HUB_DISABLE_XET=1"
    )
