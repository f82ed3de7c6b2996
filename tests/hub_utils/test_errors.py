"""Expected errors are sentences."""

import inspect

from hub_utils import errors


def test_every_error_is_one_tree_and_says_what_it_means():
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]
    assert len(classes) > 10
    assert all(issubclass(item, errors.LabError) and item.__doc__ for item in classes)


def test_a_line_has_the_sentence_and_the_hint():
    assert (
        errors.LabError("It broke.\nBadly.", hint="Mend it.").line() == "It broke. Badly. Mend it."
    )


def test_a_class_hint_is_used_unless_another_is_given():
    assert "HF_TOKEN" in errors.AccessError("No.").hint
    assert errors.AccessError("No.", hint="Ask.").hint == "Ask."
