import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from training.bert import model as models
from training.bert.config import TrainConfig
from training.bert.model import PackedClassifier, PaddedClassifier, pack, runner

TEXTS = ["oil", "wheat corn the a of in to", "profit said for", "the harvest of wheat"]
LABELS = ("crude", "earn", "grain")


def opened(folder, **changes):
    torch.manual_seed(1)
    return models.build(str(folder), LABELS, TrainConfig(**changes)).eval()


def packed_and_padded(folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(texts)["input_ids"]
    packed = pack(torch.tensor([i for text in ids for i in text]), [len(text) for text in ids])
    return packed, tokenizer(texts, padding=True, return_tensors="pt")


@pytest.mark.parametrize("kind", ["encoder", "roberta", "distilbert"])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], ["oil", "corn"]])
def test_logits_equal_the_stock_forward_pass(kind, texts, request):
    folder = request.getfixturevalue(kind)
    model = opened(folder)
    packed, padded = packed_and_padded(folder, texts)
    with torch.inference_mode():
        ours, stock = runner(model)(packed), model(**padded).logits
    torch.testing.assert_close(ours, stock, atol=1e-5, rtol=0)


def test_only_shapes_that_are_known_run_packed(encoder, roberta, distilbert):
    assert isinstance(runner(opened(encoder)), PackedClassifier)
    assert isinstance(runner(opened(roberta)), PackedClassifier)
    assert isinstance(runner(opened(distilbert)), PaddedClassifier)


def test_hidden_states_equal_the_stock_ones(encoder):
    model = opened(encoder)
    packed, padded = packed_and_padded(encoder, TEXTS)
    with torch.inference_mode():
        stock = model(**padded, output_hidden_states=True).hidden_states
        for stop in (0, 1, 2):
            ours = runner(model).hidden(packed, stop=stop)
            real = padded["attention_mask"].bool()
            torch.testing.assert_close(ours, stock[stop][real], atol=1e-5, rtol=0)


def test_going_on_from_a_kept_layer_gives_the_same_logits(encoder):
    network = runner(opened(encoder))
    packed, _ = packed_and_padded(encoder, TEXTS)
    with torch.inference_mode():
        kept = network.hidden(packed, stop=2)
        torch.testing.assert_close(network(packed, kept, 2), network(packed))


def test_gradients_equal_the_stock_ones(encoder):
    packed, padded = packed_and_padded(encoder, TEXTS)
    gradients = []
    for forward in (lambda m: runner(m)(packed), lambda m: m(**padded).logits):
        model = opened(encoder)
        forward(model).square().sum().backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, ours in gradients[0].items():
        torch.testing.assert_close(ours, gradients[1][name], atol=1e-4, rtol=1e-3)


def test_a_texts_logits_do_not_depend_on_its_neighbours(encoder):
    network = runner(opened(encoder))
    alone, _ = packed_and_padded(encoder, TEXTS[1:2])
    among, _ = packed_and_padded(encoder, TEXTS)
    with torch.inference_mode():
        torch.testing.assert_close(network(alone)[0], network(among)[1], atol=1e-5, rtol=0)


def test_labels_keep_their_names(encoder):
    config = opened(encoder).config
    assert config.id2label == dict(enumerate(LABELS))
    assert config.label2id == {name: number for number, name in enumerate(LABELS)}


def test_lora_trains_only_the_upper_layers_and_the_head(encoder):
    model = models.prepare(opened(encoder), TrainConfig(lora_rank=4), frozen=1)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert any(".layer.1." in name for name in trained)
    assert any(".layer.2." in name for name in trained)
    assert not any(".layer.0." in name or "embeddings" in name for name in trained)
    assert all("lora_" in n or "pooler" in n or "classifier" in n for n in trained)
    body, head = models.body_parameters(model), models.head_parameters(model)
    assert len(body) + len(head) == len(trained)


def test_rank_zero_tunes_the_weights_themselves(encoder):
    every = models.prepare(opened(encoder), TrainConfig(lora_rank=0), frozen=0)
    assert all(p.requires_grad for p in every.parameters())
    upper = models.prepare(opened(encoder), TrainConfig(lora_rank=0), frozen=2)
    trained = {n for n, p in upper.named_parameters() if p.requires_grad}
    assert not any(".layer.0." in n or ".layer.1." in n or "embeddings" in n for n in trained)


def test_merging_the_adapter_keeps_the_logits_and_gives_a_stock_model(encoder):
    model = models.prepare(opened(encoder), TrainConfig(lora_rank=4), frozen=0).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    packed, padded = packed_and_padded(encoder, TEXTS)
    with torch.inference_mode():
        before = runner(model)(packed)
        merged = models.merged(model)
        torch.testing.assert_close(merged(**padded).logits, before, atol=1e-4, rtol=0)
    stock = type(AutoModelForSequenceClassification.from_config(merged.config))
    assert type(merged) is stock


def test_lora_fits_an_encoder_of_another_shape(distilbert):
    model = models.prepare(opened(distilbert), TrainConfig(lora_rank=2), frozen=0)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert any("lora_A" in name for name in trained)
    assert any("classifier" in name for name in trained)
