"""A stock classifier run without padding, its LoRA adapter, and what is frozen.

The weights live in transformers' own modules, so `save_pretrained` gives a stock model. Only the
order of work is ours, and it computes the same logits:

- *packed*: the tokens of all texts stand end to end in one (n, h) matrix; products and norms never
  see padding. Only attention needs the rectangle (b, t).
- *last layer*: a classifier reads the first token alone, so the last layer computes queries,
  feed-forward and norms for that token only: 5/6 of a layer saved.
- *frozen prefix*: layers below the trained ones give the same output in every epoch, so
  `hidden(start=0, stop=k)` can be kept and training starts at layer k.

Legend: n tokens of all texts, b texts, t tokens of the longest, h width, a heads, d head width.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hub_utils.errors import LabError
from training.bert.config import TrainConfig
from training.bert.mean_layer import add_mean_layer, mean_layer_name, pools_by_mean

# Encoders whose layers have BERT's shape, and the attribute that holds the encoder.
PACKED_TYPES = {
    "bert": "bert",
    "roberta": "roberta",
    "xlm-roberta": "roberta",
    "camembert": "roberta",
}
LORA_TARGETS = ["query", "key", "value", "intermediate.dense", "output.dense"]


@dataclass(frozen=True)
class Packed:
    """Texts end to end.

    ids: (n,) tokens; positions: (n,) place of each in its text; grid: (b, t) row in `ids` of each
    token, padding points at the text's first; mask: (b, 1, 1, t) True for tokens, None if no text
    is shorter than another; inside: (n,) places of the tokens in the flattened grid.
    """

    ids: Tensor
    positions: Tensor
    grid: Tensor
    mask: Tensor | None
    inside: Tensor

    @property
    def firsts(self) -> Tensor:
        """(b,) rows of the first tokens."""
        return self.grid[:, 0]

    def to(self, device: torch.device | str) -> Packed:
        """The same on another device."""
        mask = None if self.mask is None else self.mask.to(device)
        rest = (self.ids, self.positions, self.grid, self.inside)
        ids, positions, grid, inside = (x.to(device, non_blocking=True) for x in rest)
        return Packed(ids, positions, grid, mask, inside)


def pack(ids: Tensor, lengths: Sequence[int], positions: Tensor | None = None) -> Packed:
    """ids: (n,) tokens of texts that are `lengths` long, end to end.

    positions: (n,) places in the whole texts, if these are only some of their tokens.
    """
    sizes = torch.as_tensor(lengths, dtype=torch.long)
    starts = sizes.cumsum(0) - sizes  # (b,)
    places = torch.arange(int(sizes.max()))  # (t,)
    real = places < sizes[:, None]  # (b, t)
    grid = torch.where(real, starts[:, None] + places, starts[:, None])
    mask = None if bool(real.all()) else real[:, None, None, :]
    inside = real.flatten().nonzero().squeeze(1)
    if positions is None:
        positions = places.expand_as(real)[real]
    return Packed(ids, positions, grid, mask, inside)


class PackedClassifier(nn.Module):
    """Logits of a BERT-shaped stock classifier, from packed texts."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        stock = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._stock = [stock]  # in a list, so that its weights are not counted twice
        encoder = getattr(stock, PACKED_TYPES[stock.config.model_type])
        self._encoder = [encoder]
        # RoBERTa counts positions from its padding id on.
        self.first_position = (
            0 if stock.config.model_type == "bert" else (stock.config.pad_token_id or 0) + 1
        )

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @property
    def layers(self) -> nn.ModuleList:
        """The stock layers, lowest first."""
        layers: nn.ModuleList = self._encoder[0].encoder.layer
        return layers

    def forward(self, batch: Packed, hidden: Tensor | None = None, start: int = 0) -> Tensor:
        """(b, labels) logits. `hidden`: (n, h), what layers below `start` gave."""
        first = self.hidden(batch, hidden, start=start, stop=self.depth)  # (b, h)
        return self.head(first)

    def hidden(
        self, batch: Packed, hidden: Tensor | None = None, *, start: int = 0, stop: int
    ) -> Tensor:
        """(n, h) after layer `stop`; after the last layer (b, h), of the first tokens only."""
        if hidden is None:
            hidden = self.embed(batch)
        for index in range(start, stop):
            hidden = self._layer(index, hidden, batch)
        return hidden

    def embed(self, batch: Packed) -> Tensor:
        """(n, h) what the first layer reads."""
        positions = batch.positions + self.first_position
        embeddings = self._encoder[0].embeddings
        zeros = torch.zeros_like(batch.ids)[None]
        embedded: Tensor = embeddings(
            input_ids=batch.ids[None], position_ids=positions[None], token_type_ids=zeros
        )
        return embedded[0]

    def _layer(self, index: int, hidden: Tensor, batch: Packed) -> Tensor:
        layer: Any = self.layers[index]
        last = index == self.depth - 1
        asking = hidden[batch.firsts] if last else hidden  # (b, h) or (n, h)
        context = _attend(layer.attention.self, asking, hidden, batch)
        attended = layer.attention.output(context, asking)
        output: Tensor = layer.output(layer.intermediate(attended), attended)
        return output

    def head(self, first: Tensor) -> Tensor:
        """(b, labels) logits from the first tokens, (b, h)."""
        stock, pooled = self._stock[0], first[:, None]
        if self._encoder[0].pooler is not None:  # in RoBERTa the classifier does it
            pooled = stock.dropout(self._encoder[0].pooler(pooled))
        logits: Tensor = stock.classifier(pooled)
        return logits


class PaddedClassifier(nn.Module):
    """The same interface for any other encoder: its own forward pass on a padded rectangle."""

    depth = 0

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Packed, _hidden: Tensor | None = None, _start: int = 0) -> Tensor:
        """(b, labels) logits; it has no layers to start at."""
        ids = batch.ids[batch.grid]  # (b, t)
        real = torch.ones_like(ids) if batch.mask is None else batch.mask[:, 0, 0].long()
        logits: Tensor = self.model(input_ids=ids, attention_mask=real).logits
        return logits


def runner(model: Any) -> PackedClassifier | PaddedClassifier:
    """The fastest exact way to run `model`."""
    packs = model.config.model_type in PACKED_TYPES and not getattr(
        model.config, "is_decoder", False
    )
    return PackedClassifier(model) if packs else PaddedClassifier(model)


def build(base: str, labels: Sequence[str], config: TrainConfig) -> Any:
    """A stock classifier on a pretrained encoder; its head is new. `base`: a folder.

    On a sentence encoder it also has a new last layer; see mean_layer.py.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    names = dict(enumerate(labels))
    settings = AutoConfig.from_pretrained(
        base,
        num_labels=len(names),
        id2label=names,
        label2id={name: number for number, name in names.items()},
        problem_type="single_label_classification",
        hidden_dropout_prob=config.dropout,
        # Random numbers for b * a * t * t weights cost a CPU more than the attention itself.
        attention_probs_dropout_prob=0.0,
    )
    model = AutoModelForSequenceClassification.from_pretrained(
        base, config=settings, dtype=torch.float32, attn_implementation="sdpa"
    )
    if settings.model_type == "bert" and pools_by_mean(base):
        add_mean_layer(model)
    return model


def prepare(model: Any, config: TrainConfig, *, frozen: int) -> Any:
    """Choose what is trained: a LoRA adapter above layer `frozen`, or the weights themselves."""
    if config.lora_rank:
        return _with_lora(model, config, frozen=frozen)
    if frozen:
        encoder = getattr(model, PACKED_TYPES[model.config.model_type])
        encoder.embeddings.requires_grad_(False)
        encoder.encoder.layer[:frozen].requires_grad_(False)
    return model


def merged(model: Any) -> Any:
    """The stock model with the adapter's product added to its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def head_parameters(model: Any) -> list[nn.Parameter]:
    """Trained parameters of the pooler and the classifier."""
    return [p for n, p in model.named_parameters() if p.requires_grad and _place(n) == "head"]


def body_parameters(model: Any) -> list[nn.Parameter]:
    """Trained parameters of the encoder: LoRA's, or the weights themselves."""
    return [p for n, p in model.named_parameters() if p.requires_grad and _place(n) == "body"]


def new_layer_parameters(model: Any) -> list[nn.Parameter]:
    """Trained weights of a layer that is tuned whole while the others have LoRA."""
    return [p for n, p in model.named_parameters() if p.requires_grad and _place(n) == "layer"]


def _place(name: str) -> str:
    if "pooler" in name or "classifier" in name:
        return "head"
    return "layer" if "modules_to_save" in name else "body"


def _attend(attention: Any, asking: Tensor, hidden: Tensor, batch: Packed) -> Tensor:
    """(n, h) context of every token, or (b, h) of those that ask."""
    heads, width = attention.num_attention_heads, attention.attention_head_size
    texts = batch.grid.shape[0]

    def split(x: Tensor) -> Tensor:
        return x.view(texts, -1, heads, width).transpose(1, 2)  # (b, a, t, d)

    query = attention.query(asking)
    one_each = len(asking) == texts != len(hidden)
    queries = split(query if one_each else query[batch.grid])
    keys = split(attention.key(hidden)[batch.grid])
    values = split(attention.value(hidden)[batch.grid])
    context = F.scaled_dot_product_attention(
        queries,
        keys,
        values,
        attn_mask=batch.mask,
        dropout_p=attention.dropout.p if attention.training else 0.0,
    )
    context = context.transpose(1, 2).reshape(-1, heads * width)  # (b * t, h) or (b, h)
    return context if one_each else context[batch.inside]


def _with_lora(model: Any, config: TrainConfig, *, frozen: int) -> Any:
    from peft import LoraConfig, TaskType, get_peft_model

    packs = model.config.model_type in PACKED_TYPES
    depth = model.config.num_hidden_layers if packs else 0
    mean_layer = mean_layer_name(model)  # has no weights worth keeping: tuned whole
    whole = [*(["pooler"] if packs else []), *([mean_layer] if mean_layer else [])]
    heads = [
        name
        for name, part in model.named_children()
        if name != model.base_model_prefix and list(part.parameters())
    ]
    settings = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        target_modules=LORA_TARGETS if packs else "all-linear",
        layers_to_transform=list(range(frozen, depth - bool(mean_layer))) if packs else None,
        layers_pattern="layer" if packs else None,
        modules_to_save=[*whole, *heads],
        exclude_modules=None if packs else heads,
    )
    try:
        with warnings.catch_warnings():  # peft asks transformers by an attribute's old name
            warnings.filterwarnings("ignore", ".*gradient_checkpointing", FutureWarning)
            return get_peft_model(model, settings)
    except ValueError as error:
        raise LabError(
            f"LoRA does not fit a {model.config.model_type!r} model ({error}).",
            hint="Use --lora-rank 0 to tune its weights, or another --base.",
        ) from None
