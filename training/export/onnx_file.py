"""A published classifier or sentence encoder as one ONNX file, in float32.

    write_onnx(classifier(folder), Path("onnx/model.onnx"), name="reuters-classifier")

Inputs are those of the tokenizer, (batch, length) of any size. A classifier gives `logits`; an
encoder gives `last_hidden_state` and, as sentence-transformers would, `sentence_embedding`. What
was written is opened with onnxruntime and held against the stock classes before it counts.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hub_utils.errors import LabError

TOLERANCE = 1e-3  # of any number of the outputs; sums in another order stay far below
# Of unlike length, so that padding is traced too.
EXAMPLES = ("Wheat exports fell.", "The bank said that it would raise its rate by half a point.")
LONG = "A longer text of many words, cut where the model ends. " * 60


class Traced(nn.Module):
    """A stock model that takes tensors in the order of `inputs` and gives those of `outputs`.

    outputs: the model's own name of each → its name in the file.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, outputs: dict[str, str]) -> None:
        super().__init__()
        self.model, self.tokenizer, self.outputs = model, tokenizer, outputs
        self.inputs = tuple(tokenizer.model_input_names)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each of `tensors` is (batch, length)."""
        answer = self.answer(dict(zip(self.inputs, tensors, strict=True)))
        return tuple(answer[name] for name in self.outputs)

    def answer(self, named: dict[str, Tensor]) -> Any:
        """What the model gives for the tokenizer's tensors, by name."""
        return self.model(**named)

    def tensors(self, texts: list[str]) -> tuple[Tensor, ...]:
        """(batch, length) each, padded to the longest text."""
        tokens = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return tuple(tokens[name] for name in self.inputs)


class TracedEncoder(Traced):
    """The same of a sentence-transformers model, which takes one dict."""

    def answer(self, named: dict[str, Tensor]) -> Any:
        """Vectors of tokens and texts, by name."""
        return self.model(named)


def classifier(folder: Path) -> Traced:
    """The stock classifier in `folder`, ready to be traced."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Traced(model, tokenizer, {"logits": "logits"}).eval()


def encoder(folder: Path) -> Traced:
    """The sentence encoder in `folder`, ready to be traced; without its own pooling the mean."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    tokenizer = model.tokenizer
    tokenizer.model_max_length = model.max_seq_length or tokenizer.model_max_length
    outputs = {"token_embeddings": "last_hidden_state", "sentence_embedding": "sentence_embedding"}
    return TracedEncoder(model, tokenizer, outputs).eval()


def write_onnx(traced: Traced, path: Path, *, name: str) -> dict[str, Any]:
    """Write the model to `path`; how far the file is from it, at most.

    Raises LabError if it cannot be traced, or if the file computes something else.
    """
    program = _exported(traced, name)
    _strip(program.model)
    program.save(path, external_data=False)
    difference = largest_difference(path, traced)
    if difference > TOLERANCE:
        raise LabError(
            f"The ONNX file of {name} is {difference:.2g} off the model, more than {TOLERANCE:g}.",
            hint="Nothing was published; use the model with its own library.",
        )
    return {"max_difference": difference, "opset": program.model.opset_imports[""]}


def largest_difference(path: Path, traced: Traced) -> float:
    """Between the file in onnxruntime and the model, over all outputs for several texts."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for texts in ([*EXAMPLES, LONG], [EXAMPLES[0]]):
        tensors = traced.tensors(texts)
        feed = {n: x.numpy() for n, x in zip(traced.inputs, tensors, strict=True)}
        with torch.inference_mode():
            expected = traced(*tensors)
        for ours, theirs in zip(session.run(None, feed), expected, strict=True):
            worst = max(worst, float((torch.from_numpy(ours) - theirs).abs().max()))
    return worst


def _exported(traced: Traced, name: str) -> Any:
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*The axis name: .* will not be used", UserWarning)
            return torch.onnx.export(
                traced,
                traced.tensors(list(EXAMPLES)),
                input_names=list(traced.inputs),
                output_names=list(traced.outputs.values()),
                dynamic_shapes=(tuple({0: batch, 1: length} for _ in traced.inputs),),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise LabError(
            f"{name} cannot be written as ONNX: {str(error).splitlines()[0]}",
            hint="Encoders of BERT's, RoBERTa's and DistilBERT's kind can.",
        ) from error


def _strip(model: Any) -> None:
    """Take out where in which file of this machine each step was traced."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
