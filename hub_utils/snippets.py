"""The lines that use a published model with its stock library, with no code of this project.

    text_classifier("lab/reuters-classifier", example="Wheat exports fell.", revision="1f2e…")

Cards carry them without a revision (a card cannot know its own commit), the page with the one that
it serves. Everything that is filled in becomes a Python literal.
"""

from __future__ import annotations

from collections.abc import Sequence

_CLASSIFIER = """\
from transformers import pipeline

classify = pipeline("text-classification", {repo}{revision})
print(classify({example}, truncation=True, top_k=3))
"""

_GENERATOR = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({repo}{revision})
model = AutoModelForCausalLM.from_pretrained({repo}{revision})
prompt = tokenizer({prompt}, return_tensors="pt")
text = model.generate(**prompt, max_new_tokens={tokens}, do_sample=True, temperature=0.8, top_k=50)
print(tokenizer.decode(text[0], skip_special_tokens=True))
"""

_INDEX = """\
import numpy as np
from datasets import load_dataset
from sentence_transformers import SentenceTransformer

passages = load_dataset({repo}{revision}, split="train").with_format("numpy")
vectors = np.asarray(passages["embedding"][:], dtype=np.float32)
encoder = SentenceTransformer({encoder}{encoder_revision})

query = encoder.encode_query({example}, normalize_embeddings=True)
scores = (vectors @ query).round(6)
for row in np.argsort(-scores, kind="stable")[:10].tolist():
    print(round(float(scores[row]), 4), passages[row]["id"], str(passages[row]["text"])[:80])
"""

_MATCHER_NEWEST = """\
import open_clip
import torch

model, preprocess = open_clip.create_model_from_pretrained({address})
model.eval()
tokenizer = open_clip.get_tokenizer({address})
"""
# open_clip takes no revision with an id of the Hub.
_MATCHER_AT = """\
import open_clip
import torch
from huggingface_hub import snapshot_download

folder = snapshot_download({repo}{revision})
model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{{folder}}")
model.eval()
tokenizer = open_clip.get_tokenizer(f"local-dir:{{folder}}")
"""
_MATCHER = """\
texts = {texts}
with torch.inference_mode():
    vectors = model.encode_text(tokenizer(texts), normalize=True)
print(vectors @ vectors.T)  # and model.encode_image(preprocess(picture)[None], normalize=True)
"""

_PAINTER = """\
import torch
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained({repo}{revision})
picture = pipeline(
    {prompt},
    num_inference_steps={steps},
    guidance_scale={guidance},
    generator=torch.Generator().manual_seed(0),
).images[0]
print(picture.size)  # picture.resize((256, 256)).save("picture.png")
"""


def text_classifier(repo: object, *, example: str, revision: str = "") -> str:
    """transformers: the three most probable labels of `example`."""
    return _CLASSIFIER.format(repo=_id(repo), revision=_at(revision), example=repr(example))


def text_generator(repo: object, *, prompt: str, tokens: int, revision: str = "") -> str:
    """transformers: `prompt` and up to `tokens` tokens more."""
    return _GENERATOR.format(
        repo=_id(repo), revision=_at(revision), prompt=repr(prompt), tokens=int(tokens)
    )


def search_index(
    repo: object, *, encoder: object, example: str, encoder_revision: str = "", revision: str = ""
) -> str:
    """datasets and sentence-transformers: the ten nearest passages of `example`."""
    return _INDEX.format(
        repo=_id(repo),
        revision=_at(revision),
        encoder=_id(encoder),
        encoder_revision=_at(encoder_revision),
        example=repr(example),
    )


def picture_matcher(repo: object, *, texts: Sequence[str], revision: str = "") -> str:
    """open_clip: how alike `texts` are, and how to ask of a picture."""
    if revision:
        opening = _MATCHER_AT.format(repo=_id(repo), revision=_at(revision))
    else:
        opening = _MATCHER_NEWEST.format(address=_id(f"hf-hub:{repo}"))
    return opening + _MATCHER.format(texts=repr(list(texts)))


def painter(repo: object, *, prompt: str, steps: int, guidance: float, revision: str = "") -> str:
    """diffusers: a picture of `prompt`."""
    return _PAINTER.format(
        repo=_id(repo),
        revision=_at(revision),
        prompt=repr(prompt),
        steps=int(steps),
        guidance=float(guidance),
    )


def shell(packages: str, *, endpoint: str = "", private: bool = False) -> str:
    """What a shell does before: install, and say which Hub (none given: the real one) and who."""
    lines = [f"pip install {packages}"]
    if endpoint:
        lines.append(f"export HF_ENDPOINT={endpoint} HF_HUB_DISABLE_XET=1")
    if private:
        lines.append("export HF_TOKEN=hf_...  # while the repository is private")
    return "\n".join(lines) + "\n"


def _id(repo: object) -> str:
    """In double quotes, as people write it."""
    return '"' + repr(str(repo))[1:-1].replace('"', '\\"') + '"'


def _at(revision: str) -> str:
    return f", revision={_id(revision)}" if revision else ""
