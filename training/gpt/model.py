"""MiniGPT, by hand: from the config to norm, block, model and cache.

The file to read; docs/mini-gpt.md goes along with it and puts every formula beside the function
that computes it. The parts in the order of a first reading: the shape of a model is a `ModelConfig`
(config.py), positions.py tells places apart, attention.py lets tokens look at each other,
feed_forward.py lets each think for itself, and here they become a model. Shapes stand behind the
lines where they change.

Legend: b texts, t tokens of each, s tokens that are seen (the remembered and the new ones),
w width, h query heads, g heads of keys and values, d width of a head, v vocabulary.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.gpt.attention import Attention, Remember, causal_mask
from training.gpt.config import ModelConfig, Norm
from training.gpt.feed_forward import FeedForward, MixtureOfExperts
from training.gpt.positions import Rope, alibi_bias, rope_tables, sinusoidal_table

BALANCE_WEIGHT = 0.01  # of the load-balancing term in the loss; α in Switch
EMBEDDING_STD = 0.02  # of new embeddings and of the head, as in GPT-2


def make_norm(kind: Norm, width: int, *, eps: float, bias: bool) -> nn.Module:
    """The norm in front of every branch, over the width of one token.

    RMSNorm: x / √(mean(x²) + ε) · weight, https://arxiv.org/abs/1910.07467. LayerNorm subtracts the
    mean first and may add a bias: https://arxiv.org/abs/1607.06450.
    """
    if kind == "rmsnorm":
        return nn.RMSNorm(width, eps=eps)
    return nn.LayerNorm(width, eps=eps, bias=bias)


class Block(nn.Module):
    """One layer: tokens exchange what they know, then each thinks. Both only add to the stream."""

    def __init__(
        self,
        attention: Attention,
        feed_forward: FeedForward | MixtureOfExperts,
        *,
        norms: tuple[nn.Module, nn.Module],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm, self.attention = norms[0], attention
        self.feed_forward_norm, self.feed_forward = norms[1], feed_forward
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        rope: Rope | None = None,
        mask: Tensor | None = None,
        remember: Remember | None = None,
    ) -> Tensor:
        """(b, t, w) -> (b, t, w)."""
        heard: Tensor = self.attention(
            self.attention_norm(x), rope=rope, mask=mask, remember=remember
        )
        x = x + self.dropout(heard)
        thought = self.feed_forward(self.feed_forward_norm(x))
        stream: Tensor = x + self.dropout(thought)
        return stream


class MiniGPT(nn.Module):
    """A decoder-only Transformer: reads tokens, gives scores of what comes next after each."""

    cosines: Tensor
    sines: Tensor
    waves: Tensor
    bias: Tensor

    def __init__(self, config: ModelConfig, *, written_out: bool = False) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.places = nn.Embedding(config.context, config.width)
        for name, table in _tables(config).items():
            self.register_buffer(name, table, persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_block(config, written_out) for _ in range(config.layers))
        self.norm = _norm(config)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.reset()
        if config.tied:
            self.head.weight = self.embedding.weight

    def forward(
        self, ids: Tensor, targets: Tensor | None = None, *, cache: Cache | None = None
    ) -> Tensor:
        """ids (b, t) -> logits (b, t, v) in float32; or, given targets (b, t), the loss.

        With a cache, the ids follow those that it remembers. Raises ValueError beyond the context.
        """
        start = cache.filled if cache else 0
        stop = start + ids.shape[1]
        if stop > self.config.context:
            raise ValueError(f"{stop} tokens do not fit the context of {self.config.context}.")
        x = self.dropout(self._embed(ids, start, stop))  # (b, t, w)
        rope, mask = self._rope(start, stop), self._mask(start, stop)
        for layer, block in enumerate(self.blocks):
            remember = cache.at(layer) if cache else None
            x = block(x, rope=rope, mask=mask, remember=remember)
        if cache:
            cache.filled = stop
        logits = self.head(self.norm(x)).float()  # (b, t, v)
        return logits if targets is None else self._loss(logits, targets)

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: cross entropy in nats, plus BALANCE_WEIGHT · `balance`."""
        loss: Tensor = self(ids, targets)
        return loss

    @property
    def balance(self) -> Tensor:
        """Load balance of the last forward pass, mean over layers; 1: even, 0: no experts."""
        mixtures = self._mixtures()
        return sum((m.balance for m in mixtures), torch.zeros(())) / max(1, len(mixtures))

    def reset(self) -> None:
        """Draw new weights.

        What ends a branch starts at zero: a new block adds nothing, so depth costs nothing. Other
        matrices keep the size of what they read: standard deviation 1 / √inputs. Embeddings and
        the head start small: all tokens are about as likely.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                ends_branch = name.endswith((".out", ".down"))
                std = 0.0 if ends_branch else 1 / math.sqrt(module.in_features)
                nn.init.normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=EMBEDDING_STD)
        nn.init.normal_(self.head.weight, std=EMBEDDING_STD)

    def _embed(self, ids: Tensor, start: int, stop: int) -> Tensor:
        x: Tensor = self.embedding(ids)  # (b, t, w)
        if self.config.positions == "learned":
            return x + self.places.weight[start:stop]
        if self.config.positions == "sinusoidal":
            # √w as in the paper: else the waves drown the small embeddings.
            return x * math.sqrt(self.config.width) + self.waves[start:stop]
        return x

    def _rope(self, start: int, stop: int) -> Rope | None:
        if self.config.positions != "rope":
            return None
        return self.cosines[start:stop], self.sines[start:stop]

    def _mask(self, start: int, stop: int) -> Tensor | None:
        """None where attention's own causal mask is the right one: nothing remembered, or t = 1."""
        if self.config.positions == "alibi":
            return self.bias[:, start:stop, :stop]  # (h, t, s)
        if start and stop - start > 1:
            return causal_mask(stop - start, stop, device=self.embedding.weight.device)  # (t, s)
        return None

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        entropy = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        mixtures = self._mixtures()
        if not mixtures:
            return entropy
        balance = self.balance
        for mixture in mixtures:  # only the loss keeps the graph, so the model can be copied
            mixture.balance = mixture.balance.detach()
        return entropy + BALANCE_WEIGHT * balance

    def _mixtures(self) -> list[MixtureOfExperts]:
        return [module for module in self.modules() if isinstance(module, MixtureOfExperts)]


def _block(config: ModelConfig, written_out: bool) -> Block:
    attention = Attention(
        config.width,
        heads=config.heads,
        kv_heads=config.kv_heads,
        size=config.head_size,
        bias=config.bias,
        written_out=written_out,
    )
    norms = (_norm(config), _norm(config))
    return Block(attention, _feed_forward(config), norms=norms, dropout=config.dropout)


def _feed_forward(config: ModelConfig) -> FeedForward | MixtureOfExperts:
    experts = [
        FeedForward(config.width, config.hidden, activation=config.activation, bias=config.bias)
        for _ in range(config.experts)
    ]
    if config.experts == 1:
        return experts[0]
    return MixtureOfExperts(config.width, experts, per_token=config.experts_per_token)


def _norm(config: ModelConfig) -> nn.Module:
    return make_norm(config.norm, config.width, eps=config.norm_eps, bias=config.bias)


def _tables(config: ModelConfig) -> dict[str, Tensor]:
    """What tells places apart without being learned; not saved with the weights."""
    if config.positions == "rope":
        cosines, sines = rope_tables(config.context, config.head_size, config.rope_theta)
        return {"cosines": cosines, "sines": sines}
    if config.positions == "sinusoidal":
        return {"waves": sinusoidal_table(config.context, config.width)}
    if config.positions == "alibi":
        return {"bias": alibi_bias(config.heads, config.context)}
    return {}


class Cache:
    """Keys and values of the tokens read so far, in memory that is taken once.

    keys, values: (layers, b, g, length, d), of which `filled` tokens are in use.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        batch: int = 1,
        length: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.length, self.filled = length or config.context, 0
        shape = (config.layers, batch, config.kv_heads, self.length, config.head_size)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)

    def at(self, layer: int) -> Remember:
        """What the attention of `layer` calls with its new keys and values, (b, g, t, d) each."""

        def remember(keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            stop = self.filled + keys.shape[2]
            self.keys[layer, :, :, self.filled : stop] = keys
            self.values[layer, :, :, self.filled : stop] = values
            return self.keys[layer, :, :, :stop], self.values[layer, :, :, :stop]  # (b, g, s, d)

        return remember

    def forget(self, filled: int = 0) -> None:
        """Keep the first `filled` tokens only."""
        self.filled = filled
