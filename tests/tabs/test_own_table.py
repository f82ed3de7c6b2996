"""A reader's own table: its columns are recognised, its mistakes named, its training queued."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub_utils.errors import DataError, LabError
from tabs.i18n import PageError
from tabs.own_table import MOST_MINUTES, Choice, labels, look, name_for, train
from tabs.services import Services
from tests.tabs.lab import wait_until

Make = Callable[..., Services]
TICKETS = (
    "id,message,team\n1,It is broken,technical\n2,Where is my money,billing\n3,It hums,technical\n"
)


def write(folder: Path, text: str = TICKETS, name: str = "tickets.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.csv", TICKETS, ("message", "team")),
        ("a.csv", TICKETS.replace("message,team", "was,wer"), ("was", "wer")),
        ("a.tsv", "It is broken\ttechnical\nWhere is it\tdelivery\n", ("text", "label")),
        ("a.jsonl", '{"body": "Hello there", "stars": 5}\n{"body": "Oh", "stars": 1}\n', ("body", "stars")),
        ("a.csv", "message\nIt is broken\nIt hums\n", ("message", None)),
    ],
)  # fmt: skip
def test_texts_and_labels_are_told_apart(tmp_path: Path, name: str, text: str, found: tuple):
    table = look(write(tmp_path, text, name))
    assert (table.text, table.label) == found


def test_rows_are_counted_by_label(tmp_path: Path):
    assert labels(write(tmp_path), "message", "team") == {"technical": 2, "billing": 1}
    assert look(write(tmp_path)).rows == 3


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xlsx", TICKETS, "unknown suffix"),
        ("a.csv", "message,team\n", "has no rows"),
        ("a.csv", "message,team\nHello\n", "row 2: 1 cells where 2"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_its_own_name(
    tmp_path: Path, name: str, text: str, said: str
):
    with pytest.raises(LabError, match=said) as caught:
        look(write(tmp_path, text, name))
    assert str(caught.value).startswith(name)
    assert str(tmp_path) not in caught.value.line()


@pytest.mark.parametrize(
    ("column", "said"),
    [("message", "both to come from"), ("word", "no column 'word'"), ("empty", "label is empty")],
)
def test_columns_that_cannot_be_labels_are_refused(tmp_path: Path, column: str, said: str):
    path = write(tmp_path, "message,team,empty\nIt hums,technical,\nIt is late,delivery,\n")
    with pytest.raises((DataError, PageError), match=said) as caught:
        labels(path, "message", column)
    assert str(tmp_path) not in caught.value.line()


@pytest.mark.parametrize(
    ("file", "name"),
    [("tickets.csv", "tickets-classifier"), ("Mine (new) – 2.csv", "Mine-new-2-classifier"), ("工单.csv", "classifier")],
)  # fmt: skip
def test_a_file_suggests_a_name(file: str, name: str):
    assert name_for(Path(file)) == name


def test_a_training_gets_a_copy_that_goes_with_it(make_services: Make, tmp_path: Path):
    services = make_services()
    data = write(tmp_path)
    train(services, data, Choice("message", "team", " router ", 500))
    (job,) = services.jobs.all()
    assert (job.name, job.title, job.active) == ("own-router", "router", True)
    order = services.jobs._jobs["own-router"].order
    assert order.command[-4:] == (
        f"--data={order.leaves / 'tickets.csv'}", f"--max-seconds={60 * MOST_MINUTES}",
        "--text-column=message", "--label-column=team",
    )  # fmt: skip
    assert (order.leaves / "tickets.csv").is_file()
    assert order.soon
    services.jobs.stop()
    wait_until(lambda: not order.leaves.exists(), what="the copy to go")
    assert data.is_file()


def test_a_file_without_a_header_has_no_columns_to_name(make_services: Make, tmp_path: Path):
    services = make_services()
    data = write(tmp_path, "It is broken\ttechnical\nWhere is it\tdelivery\n", "a.tsv")
    train(services, data, Choice("text", "label", "router", 1))
    command = services.jobs._jobs["own-router"].order.command
    assert command[-1] == "--max-seconds=60"


def test_a_name_that_no_hub_takes_is_refused(make_services: Make, tmp_path: Path):
    services = make_services()
    for name in ("", "--repo", "a/b", "../x", "x" * 200, "<b>"):
        with pytest.raises(PageError, match="cannot be a repository's name"):
            train(services, write(tmp_path), Choice("message", "team", name, 1))
    assert services.jobs.all() == ()


def test_a_read_only_page_trains_nothing(make_services: Make, tmp_path: Path):
    with pytest.raises(PageError, match="read-only"):
        train(make_services(read_only=True), write(tmp_path), Choice("message", "team", "x", 1))
