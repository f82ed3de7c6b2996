"""Copy-paste lines that load a repository with its stock library."""

from __future__ import annotations

from .records import RepoRecord

_MODELS = {
    "sentence-transformers": (
        "from sentence_transformers import SentenceTransformer\n\n"
        'model = SentenceTransformer("{id}")\n'
        'print(model.encode(["A first sentence", "A second one"]).shape)'
    ),
    "peft": (
        "from peft import AutoPeftModel\n\n"
        'model = AutoPeftModel.from_pretrained("{id}")\nprint(model)'
    ),
    "open_clip": (
        "import open_clip\n\n"
        'model, preprocess = open_clip.create_model_from_pretrained("hf-hub:{id}")\n'
        'tokenizer = open_clip.get_tokenizer("hf-hub:{id}")'
    ),
    "diffusers": (
        "from diffusers import DiffusionPipeline\n\n"
        'pipeline = DiffusionPipeline.from_pretrained("{id}")'
    ),
}
_PIPELINE = (
    "from transformers import pipeline\n\n"
    'run = pipeline("{task}", model="{id}")\nprint(run("Type a text here"))'
)
_AUTO_MODEL = (
    "from transformers import AutoModel, AutoTokenizer\n\n"
    'tokenizer = AutoTokenizer.from_pretrained("{id}")\n'
    'model = AutoModel.from_pretrained("{id}")'
)
_DATASET = 'from datasets import load_dataset\n\ndata = load_dataset("{id}")\nprint(data)'
_DOWNLOAD = "hf download {id}{type_option}"
_TEXT_TASKS = ("text-classification", "text-generation", "fill-mask", "token-classification")


def snippet_for(record: RepoRecord) -> tuple[str, str]:
    """The language (python or bash) and the lines that load this repository."""
    if record.key.type == "dataset":
        return "python", _DATASET.format(id=record.key.id)
    library = record.library_name or ""
    if library in _MODELS:
        return "python", _MODELS[library].format(id=record.key.id)
    if library == "transformers":
        template = _PIPELINE if record.pipeline_tag in _TEXT_TASKS else _AUTO_MODEL
        return "python", template.format(id=record.key.id, task=record.pipeline_tag)
    option = "" if record.key.type == "model" else f" --repo-type {record.key.type}"
    return "bash", _DOWNLOAD.format(id=record.key.id, type_option=option)


def client_setup(endpoint: str) -> str:
    """The two variables that make every client talk to this Hub."""
    return f"export HF_ENDPOINT={endpoint}\nexport HF_HUB_DISABLE_XET=1"
