"""What an export adds to a model's card: one section, renewed when the model is exported again."""

from __future__ import annotations

import re

OPENING, CLOSING = "<!-- export -->", "<!-- /export -->"
_SECTION = re.compile(rf"\n*{OPENING}.*?{CLOSING}\n*", re.S)
_NEXT = "\n## How it was made\n"  # in cards of this project what comes after the Python lines

_GGUF = """\
## In llama.cpp

`{file}` holds the weights, in float32, and the tokenizer for llama.cpp and the programs around it:

```bash
hf download {repo} {file} --local-dir .
llama-completion -m {file} -no-cnv -p "Once upon a time" -n 60
llama-quantize {file} smaller.gguf q8_0
```
"""
_OPENING = """\
import onnxruntime
from huggingface_hub import hf_hub_download
from transformers import AutoConfig, AutoTokenizer

session = onnxruntime.InferenceSession(hf_hub_download("{repo}", "{file}"))
tokenizer = AutoTokenizer.from_pretrained("{repo}")
tokens = tokenizer({texts}, truncation=True, padding=True, return_tensors="np")
"""
_CLASSIFIER = (
    """\
## As ONNX

`{file}` gives the same logits without PyTorch:

```python
"""
    + _OPENING
    + """\
(logits,) = session.run(["logits"], dict(tokens))
labels = AutoConfig.from_pretrained("{repo}").id2label
print([labels[number] for number in logits.argmax(1).tolist()])
```

In a browser or in Node:

```js
import {{ pipeline }} from "@huggingface/transformers";
const classify = await pipeline("text-classification", "{repo}", {{ dtype: "fp32" }});
console.log(await classify("Wheat exports fell.", {{ top_k: 3 }}));
```
"""
)
_ENCODER = (
    """\
## As ONNX

`{file}` gives the same vectors without PyTorch:

```python
"""
    + _OPENING.replace("AutoConfig, ", "")
    + """\
(vectors,) = session.run(["sentence_embedding"], dict(tokens))
print(vectors @ vectors.T)
```
"""
)


def gguf_section(repo: object, file: str) -> str:
    """How llama.cpp runs it."""
    return _GGUF.format(repo=repo, file=file)


def classifier_section(repo: object, file: str) -> str:
    """How onnxruntime and transformers.js run it."""
    return _CLASSIFIER.format(repo=repo, file=file, texts='["Wheat exports fell."]')


def encoder_section(repo: object, file: str) -> str:
    """How onnxruntime runs it."""
    texts = '["Wheat exports fell.", "The harvest was poor."]'
    return _ENCODER.format(repo=repo, file=file, texts=texts)


def with_section(card: str, section: str) -> str:
    """The card with this section after the lines that use the model, in place of an older one."""
    card = _SECTION.sub("\n\n", card).rstrip("\n") + "\n"
    block = f"\n{OPENING}\n{section.strip()}\n{CLOSING}\n"
    before, found, after = card.partition(_NEXT)
    return f"{before}{block}{found}{after}" if found else f"{card}{block}"
