"""The stock libraries, unmodified, against the embedded Hub: publish something tiny, load it back.

They find the Hub by HF_ENDPOINT alone, which tests/conftest.py sets before any of them is imported.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import fresh_name

# Third-party libraries warn about themselves; what counts here is that they work.
pytestmark = [pytest.mark.usefixtures("hub_server"), pytest.mark.filterwarnings("ignore")]

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "the"]


@pytest.fixture
def name():
    return f"lab/{fresh_name('client')}"


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=core, mask_token="[MASK]", **names)


def bert(kind, **options):
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        **options,
    )
    return getattr(transformers, kind)(config).eval()


def same_weights(one, other):
    import torch

    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_transformers_publishes_and_pipeline_finds_the_task_itself(api, name):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    labels = {"id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
    model = bert("BertForSequenceClassification", **labels)
    model.push_to_hub(name)
    tokenizer().push_to_hub(name)
    found = pipeline(model=name)
    assert found.task == "text-classification"
    assert found("a good film")[0]["label"] in ("good", "bad")
    assert same_weights(AutoModelForSequenceClassification.from_pretrained(name), model)
    assert AutoTokenizer.from_pretrained(name)("good film")["input_ids"] == [2, 5, 7, 3]
    assert api.model_info(name).library_name == "transformers"


def test_transformers_loads_any_revision_and_private_models(api, name):
    from transformers import AutoModel

    first, second = bert("BertModel"), bert("BertModel")
    first.push_to_hub(name, private=True)
    api.create_tag(name, tag="v1")
    api.create_branch(name, branch="feat/x")
    second.push_to_hub(name)
    for revision, model in (("v1", first), ("feat/x", first), ("main", second)):
        assert same_weights(AutoModel.from_pretrained(name, revision=revision), model)


def test_missing_model_is_a_sentence_from_transformers(name):
    from transformers import AutoModel

    with pytest.raises(OSError, match="is not a local folder and is not a valid model identifier"):
        AutoModel.from_pretrained(name)


def test_datasets_publishes_and_loads_splits_features_and_streams(api, name):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_dataset

    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 0]}
    data = DatasetDict(
        train=Dataset.from_dict(rows, features), test=Dataset.from_dict(rows, features).select([1])
    )
    data.push_to_hub(name)
    loaded = load_dataset(name)
    assert {split: part.num_rows for split, part in loaded.items()} == {"train": 3, "test": 1}
    assert loaded["train"].features["label"].names == ["bad", "good"]
    streamed = list(load_dataset(name, split="train", streaming=True))
    assert [row["text"] for row in streamed] == ["a", "b", "c"]
    assert "size_categories:n<1K" in api.dataset_info(name).tags or api.dataset_info(name).card_data


def test_datasets_adds_a_configuration_and_reads_a_revision(api, name):
    from datasets import Dataset, get_dataset_config_names, load_dataset

    Dataset.from_dict({"x": [1]}).push_to_hub(name)
    first = api.dataset_info(name).sha
    Dataset.from_dict({"x": [1, 2]}).push_to_hub(name)
    Dataset.from_dict({"y": ["z"]}).push_to_hub(name, "other", private=True)
    assert sorted(get_dataset_config_names(name)) == ["default", "other"]
    assert load_dataset(name, split="train").num_rows == 2
    assert load_dataset(name, split="train", revision=first).num_rows == 1
    assert load_dataset(name, "other", split="train")["y"] == ["z"]


def test_datasets_reads_plain_files(api, name):
    from datasets import load_dataset

    api.create_repo(name, repo_type="dataset")
    for split in ("train", "test"):
        content = f"text,label\n{split},1\n".encode()
        api.upload_file(
            path_or_fileobj=content, path_in_repo=f"{split}.csv", repo_id=name, repo_type="dataset"
        )
    assert load_dataset(name, split="test")["text"] == ["test"]


def test_diffusers_publishes_and_loads_a_pipeline(api, name, tmp_path):
    from diffusers import DDPMPipeline, DDPMScheduler, DiffusionPipeline, UNet2DModel

    unet = UNet2DModel(
        sample_size=8,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=(8,),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    pipe = DDPMPipeline(unet=unet, scheduler=DDPMScheduler(num_train_timesteps=10))
    pipe.save_pretrained(str(tmp_path), push_to_hub=True, repo_id=name)
    loaded = DiffusionPipeline.from_pretrained(name)
    assert type(loaded) is DDPMPipeline
    assert same_weights(loaded.unet, unet)
    assert api.model_info(name).library_name == "diffusers"


def test_open_clip_loads_by_hf_hub(api, name, tmp_path):
    import open_clip
    from open_clip.push_to_hf_hub import save_for_hf

    tower = {"layers": 1, "width": 16}
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 16, "patch_size": 8, "head_width": 8, **tower},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "heads": 2, **tower},
    }
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    model = open_clip.create_model("tiny-clip")
    (tmp_path / "tiny-clip.json").unlink()
    save_for_hf(model, tokenizer(), config, tmp_path, safe_serialization=True)
    api.create_repo(name)
    api.upload_folder(repo_id=name, folder_path=tmp_path)
    loaded, preprocess = open_clip.create_model_from_pretrained(f"hf-hub:{name}")
    assert same_weights(loaded, model)
    assert callable(preprocess)
    assert api.model_info(name).library_name == "open_clip"


def test_sentence_transformers_publishes_and_loads(api, name, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    bert("BertModel").save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    words = Transformer(str(tmp_path))
    model = SentenceTransformer(modules=[words, Pooling(16)], device="cpu")
    model.push_to_hub(name)
    loaded = SentenceTransformer(name, device="cpu")
    assert (loaded.encode("a good film") == model.encode("a good film")).all()
    assert api.model_info(name).library_name == "sentence-transformers"


def test_peft_adapter_finds_its_base_on_the_hub(api, name):
    from peft import AutoPeftModelForSequenceClassification, LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    base = f"{name}-base"
    bert("BertForSequenceClassification").push_to_hub(base)
    model = AutoModelForSequenceClassification.from_pretrained(base)
    lora = LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"], init_lora_weights=False)
    adapted = get_peft_model(model, lora)
    adapted.push_to_hub(name)
    loaded = AutoPeftModelForSequenceClassification.from_pretrained(name)
    assert same_weights(loaded, adapted)
    assert api.model_info(name).config["peft"]["task_type"] == "SEQ_CLS"


# -- the command line ----------------------------------------------------------------------------


def hf(*arguments, check=True):
    command = [str(Path(sys.executable).with_name("hf")), *map(str, arguments)]
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_hf_cli_walks_the_whole_way(api, name, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "w.safetensors").write_bytes(b"W" * 3000)
    assert "lab" in hf("auth", "whoami").stdout
    hf("repos", "create", name, "--private")
    hf("upload", name, source, ".", "--commit-message", "by the command line")
    assert api.list_repo_commits(name)[0].title == "by the command line"
    hf("download", name, "--local-dir", tmp_path / "back")
    assert (tmp_path / "back" / "w.safetensors").read_bytes() == b"W" * 3000
    hf("repos", "tag", "create", name, "v1")
    hf("repos", "branch", "create", name, "dev")
    assert [t.name for t in api.list_repo_refs(name).tags] == ["v1"]
    hf("repos", "delete-files", name, "config.json")
    assert not api.file_exists(name, "config.json")
    hf("models", "info", name)
    assert name in hf("models", "ls", "--author", "lab", "--limit", "1000", "-q").stdout
    hf("repos", "delete", name, "--yes")
    assert not api.repo_exists(name)


def test_hf_cli_says_what_is_missing(name):
    done = hf("download", name, check=False)
    assert done.returncode != 0
    assert "not found" in (done.stdout + done.stderr).lower()
