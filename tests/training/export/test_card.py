"""The card gains one section, and keeps one when the model is exported again."""

from hub_utils.cards import snippet_of
from training.export.card import classifier_section, encoder_section, gguf_section, with_section

CARD = """---
license: mit
---

# Tiny

## Use it

```python
print("first")
```

## How it was made

Somehow.
"""


def test_the_section_follows_the_lines_that_use_the_model():
    card = with_section(CARD, gguf_section("lab/tiny", "model.gguf"))
    assert card.index("## Use it") < card.index("## In llama.cpp") < card.index("## How it was")
    assert "hf download lab/tiny model.gguf" in card
    assert card.endswith("Somehow.\n")


def test_a_second_export_renews_the_section():
    once = with_section(CARD, classifier_section("lab/tiny", "old.onnx"))
    again = with_section(once, classifier_section("lab/tiny", "onnx/model.onnx"))
    assert "old.onnx" not in again
    assert again == with_section(CARD, classifier_section("lab/tiny", "onnx/model.onnx"))


def test_the_cards_own_lines_stay_the_first():
    card = with_section(CARD, encoder_section("lab/tiny", "onnx/model.onnx"))
    assert snippet_of(card) == 'print("first")\n'


def test_somebody_elses_card_gets_it_at_the_end():
    assert with_section("# Theirs\n", "## More").endswith(
        "# Theirs\n\n<!-- export -->\n## More\n<!-- /export -->\n"
    )
