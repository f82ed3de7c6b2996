import pytest
from matplotlib.figure import Figure

from training.shared.pictures import draw_curve, save_pictures

HISTORY = [
    {"step": n, "seconds": n / 2, "loss": 4 / n, **({"validation": 1.0} if n % 10 == 0 else {})}
    for n in range(1, 51)
]


def drawn(history, **options):
    axes = Figure().add_subplot()
    draw_curve(axes, history, **options)
    return axes, {line.get_label(): line for line in axes.get_lines()}


def test_the_curve_has_every_step_a_mean_and_the_validations():
    axes, lines = drawn(HISTORY, along="seconds", label="seconds", unit="nats", scale="linear")
    assert lines["each step"].get_xdata()[-1] == 25
    assert list(lines["validation"].get_xdata()) == [5, 10, 15, 20, 25]
    mean = lines["mean of 2"]
    assert mean.get_ydata()[0] == pytest.approx((4 + 2) / 2)
    assert mean.get_xdata()[0] == 1.0  # drawn where its last step is
    shown = (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale())
    assert shown == ("seconds", "nats", "linear")


def test_a_run_without_validations_has_no_line_for_them():
    _, lines = drawn([{"step": 1, "loss": 1.0}])
    assert "validation" not in lines


def test_the_same_curve_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        save_pictures({"curve.png": lambda axes: draw_curve(axes, HISTORY)}, tmp_path / name)
    first, second = (tmp_path / name / "curve.png" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")
