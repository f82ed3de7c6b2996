import argparse
import json
from dataclasses import dataclass

import pytest

from hub_utils.errors import DataError
from training.shared.cli import EXIT_ERROR, EXIT_INTERRUPTED, overridden, run_command


def test_figures_are_the_last_line_of_stdout(capsys):
    assert run_command(lambda: {"accuracy": 0.5}) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"accuracy": 0.5}


def test_an_expected_error_is_one_line_on_stderr(capsys):
    def fail():
        raise DataError("x.csv, row 3: the text is empty.", hint="Fill it.")

    assert run_command(fail) == EXIT_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: x.csv, row 3: the text is empty. Fill it.\n"


def test_an_interruption_says_how_to_go_on(capsys):
    def interrupt():
        raise KeyboardInterrupt

    assert run_command(interrupt) == EXIT_INTERRUPTED
    assert "--resume" in capsys.readouterr().err


def test_a_fault_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: {"x": 1 / 0})


@dataclass(frozen=True)
class Planned:
    max_steps: int | None = 600
    max_seconds: float | None = 60.0
    seed: int = 0


@pytest.mark.parametrize(
    ("given", "steps", "seconds"),
    [
        ({}, 600, 60.0),
        ({"seed": 1}, 600, 60.0),
        ({"max_steps": 5}, 5, None),
        ({"max_seconds": 900.0}, None, 900.0),
        ({"max_steps": 5, "max_seconds": 9.0}, 5, 9.0),
    ],
)
def test_a_given_budget_takes_the_place_of_the_presets(given, steps, seconds):
    options = argparse.Namespace(**{"max_steps": None, "max_seconds": None, **given})
    config = overridden(Planned(), options)
    assert (config.max_steps, config.max_seconds) == (steps, seconds)
