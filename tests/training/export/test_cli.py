"""The command from end to end: published into the model's own repository, or a sentence why not."""

import json
import re
from pathlib import Path

import pytest

from hub_utils.cards import snippet_of
from hub_utils.errors import LabError, SettingsError
from hub_utils.push import push_folder
from tests.tabs.lab import publish, tiny_classifier, tiny_generator
from training.cli import build_parser, main
from training.export.cli import export_and_publish
from training.export.formats import GENERATOR, Export, export_of, require_packages


@pytest.fixture
def export(hub, tmp_path):
    """The command's own function; gives its figures."""

    def run(*words: str):
        options = ["export", *words, "--output-dir", str(tmp_path / "export")]
        return export_and_publish(build_parser().parse_args(options))

    return run


def test_a_language_model_gains_a_gguf_file_and_loses_it_when_it_is_trained_again(
    hub, export, tmp_path
):
    folder = tiny_generator(tmp_path / "model")
    before = publish(hub, folder, "exported-gpt")
    figures = export("exported-gpt")
    assert (figures["format"], figures["source_revision"]) == ("gguf", before.revision)
    assert "model.gguf" in hub.api.list_repo_files("lab/exported-gpt")
    card = read(hub, "lab/exported-gpt", "README.md")
    assert "llama-completion -m model.gguf" in card
    assert export("exported-gpt")["revision"] == figures["revision"]  # the same bytes, no commit
    publish(hub, folder, "exported-gpt")
    assert "model.gguf" not in hub.api.list_repo_files("lab/exported-gpt")


def test_a_classifier_gains_an_onnx_file_and_lines_that_work(hub, export, tmp_path, capsys):
    publish(hub, tiny_classifier(tmp_path / "model"), "exported-classifier")
    figures = export("exported-classifier")
    assert (figures["file"], figures["repo"]) == ("onnx/model.onnx", "lab/exported-classifier")
    card = read(hub, "lab/exported-classifier", "README.md")
    exec(snippet_of(card), {})
    assert re.fullmatch(r"\['(acq|crude|earn|money-fx)'\]\n", capsys.readouterr().out)


def test_another_name_gets_the_whole_model(hub, export, tmp_path):
    from transformers import AutoModelForCausalLM

    folder = tiny_generator(tmp_path / "model")
    figures = export(str(folder), "--to", "copied-gpt")
    assert figures["source_revision"] is None
    assert figures["revision"] == hub.api.model_info("lab/copied-gpt").sha
    assert AutoModelForCausalLM.from_pretrained("lab/copied-gpt").config.hidden_size == 32
    assert "model.gguf" in hub.api.list_repo_files("lab/copied-gpt")


def test_a_folder_has_no_repository_to_publish_into(export, tmp_path):
    folder = tiny_generator(tmp_path / "model")
    with pytest.raises(SettingsError, match="no repository") as caught:
        export(str(folder))
    assert "--to" in caught.value.hint
    figures = export(str(folder), "--no-push")
    assert figures["revision"] is None
    assert figures["tensors"] == 2 * 9 + 3  # of a block, and embedding, norm, head


def test_what_has_no_export_gets_a_sentence_and_exit_code_2(hub, tmp_path, capsys):
    folder = tmp_path / "painter"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    push_folder(folder, hub.repo("no-checkpoint"), hub=hub, message="A painter")
    assert main(["export", "no-checkpoint", "--output-dir", str(tmp_path / "out")]) == 2
    assert "holds no checkpoint of transformers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("architecture", "format"),
    [
        ("LlamaForCausalLM", "gguf"),
        ("GPT2LMHeadModel", "gguf"),
        ("RobertaForSequenceClassification", "onnx"),
        ("BertModel", "onnx"),
    ],
)
def test_the_architecture_decides_the_format(tmp_path, architecture, format):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    assert export_of(tmp_path).format == format


def test_an_architecture_without_an_export_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["WhisperForAudio"]}')
    with pytest.raises(LabError, match="WhisperForAudio"):
        export_of(tmp_path)


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    needs_more = Export("gguf", "model.gguf", ("no_such_package",), GENERATOR.write, str)
    with pytest.raises(LabError, match="needs no_such_package") as caught:
        require_packages(needs_more)
    assert "requirements-export.txt" in caught.value.hint


def read(hub, repo: str, name: str) -> str:
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(repo, name, endpoint=hub.endpoint, token=hub.token)
    return Path(path).read_text("utf-8")
