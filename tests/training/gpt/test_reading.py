"""The guided reading names things that exist, and shows commands that are understood."""

import re
from pathlib import Path

import pytest

from training.export import gguf_tokens, gguf_weights
from training.gpt import attention, config, feed_forward, model, native, positions, tokenizer
from training.gpt.config import ModelConfig

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "mini-gpt.md").read_text("utf-8")
MODULES = (
    config, tokenizer, positions, attention, feed_forward, model, native, gguf_tokens, gguf_weights
)  # fmt: skip
# Words in code letters that are no names of ours: values of options and single letters, a file.
OPTIONS = {choice for choices in config.CHOICES.values() for choice in choices} | {"model.gguf"}


def names() -> list[str]:
    """Everything in code letters that looks like a Python name, without commands."""
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.S)
    found = set(re.findall(r"`([A-Za-z_][\w.]+)`", prose)) - OPTIONS
    return sorted(name for name in found if len(name) > 1)


def test_names_exist_in_the_source_or_the_tests():
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    missing = [name for name in names() if not _known(name) and f"def {name}(" not in tests]
    assert missing == []
    assert len(names()) > 25


def _known(name: str) -> bool:
    import transformers

    if name.endswith(".py"):
        return Path(model.__file__).with_name(name).is_file()
    first, *rest = name.split(".")
    for module in (*MODULES, transformers):
        found = getattr(module, first, None)
        for part in rest:
            found = getattr(found, part, None)
        if found is not None:
            return True
    return False


@pytest.mark.parametrize("page_option", sorted(set(re.findall(r"--([a-z][a-z-]+)", PAGE))))
def test_options_are_options_of_the_command_or_of_the_benchmark(page_option):
    from benchmarks import gpt_ablations
    from training.cli import build_parser

    training = build_parser()._subparsers._group_actions[0].choices["gpt"].format_help()
    ablations = Path(gpt_ablations.__file__).read_text("utf-8")
    assert f"--{page_option}" in training or f'"--{page_option}"' in ablations


def test_both_languages_tell_every_section():
    sections = re.split(r"\n## ", PAGE)[1:]
    for section in sections:
        title = section.splitlines()[0]
        if title[0].isdigit():
            assert "·" in title, f"{title} has no Chinese title"
            assert "**中文。**" in section, f"{title} is not told in Chinese"


def test_every_public_part_of_the_model_is_read():
    public = {
        name
        for module in (positions, attention, feed_forward, model)
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", None) == module.__name__ and name[0] != "_"
    }
    unread = {name for name in public if f"`{name}" not in PAGE}
    assert unread - {"gelu", "relu2"} == set()


def test_options_with_a_stock_format_are_those_of_the_table():
    from training.gpt.formats import native_format

    rows = re.findall(r"^\| (`--positions.*?) \| `(\w+)` \|$", PAGE, flags=re.M)
    assert len(rows) == 2
    for options, stock in rows:
        given = dict(re.findall(r"--(positions|norm|activation) (\w+)", options))
        name = native_format(ModelConfig(vocab_size=9, **given))
        assert name is not None
        assert native.CLASSES[name] == stock
