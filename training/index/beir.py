"""Queries and judgements in BEIR's files.

queries.jsonl   {"_id": "q1", "text": "how do wings lift"}
qrels.tsv       query-id<tab>corpus-id<tab>score, with that header or without; trec_eval's four
                columns (query, iteration, document, score) are read too

The corpus beside them, corpus.jsonl, is read by documents.py. Format: Thakur et al. (2021),
https://arxiv.org/abs/2104.08663.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from hub_utils.errors import DataError

QUERY_EXAMPLE = '{"_id": "q1", "text": "…"}'
QRELS_EXAMPLE = "query-id<tab>corpus-id<tab>score"
_TREC_COLUMNS = 4

Qrels = dict[str, dict[str, int]]


def read_queries(path: Path) -> dict[str, str]:
    """Query id → text. Raises DataError with the file, the row and what to do."""
    queries: dict[str, str] = {}
    for number, line in _lines(path):
        name, text = _query(path, number, line)
        if name in queries:
            raise _wrong(path, number, f"the query id {name!r} comes a second time", QUERY_EXAMPLE)
        queries[name] = text
    if not queries:
        raise DataError(f"{path} holds no query.", hint=f"Put one on each row: {QUERY_EXAMPLE}")
    return queries


def read_qrels(path: Path) -> Qrels:
    """Query id → document id → judgement, 0 for not relevant. Raises DataError."""
    qrels: Qrels = {}
    for number, line in _lines(path):
        cells = line.split("\t") if "\t" in line else line.split()
        cells = [cell.strip() for cell in cells]
        if len(cells) == _TREC_COLUMNS:
            del cells[1]
        if len(cells) != 3 or not all(cells):
            raise _wrong(path, number, f"{len(cells)} cells where three were expected")
        if number == 1 and not _is_number(cells[2]):
            continue  # the header
        query, document, score = cells
        qrels.setdefault(query, {})[document] = _score(path, number, score)
    if not qrels:
        raise DataError(f"{path} holds no judgement.", hint=f"Put one on each row: {QRELS_EXAMPLE}")
    return qrels


def require_agreement(
    queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]], documents: Collection[str]
) -> str | None:
    """Raises DataError if the three files have no ids in common; a sentence if some are missing."""
    if not queries.keys() & qrels.keys():
        raise DataError(
            f"The judgements are of other queries: {_some(qrels)}, not {_some(queries)}.",
            hint="Give the qrels file that belongs to these queries.",
        )
    judged = {name for query in queries.keys() & qrels.keys() for name in qrels[query]}
    missing = judged - set(documents)
    if missing == judged:
        raise DataError(
            f"The judgements are of other documents: {_some(judged)}, not {_some(documents)}.",
            hint="Give the qrels file that belongs to this corpus.",
        )
    if not missing:
        return None
    return (
        f"{len(missing):,} of {len(judged):,} judged documents are not in the corpus "
        f"({_some(missing)}); relevant ones among them count as not found"
    )


def _query(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise _wrong(
            path, number, f"not JSON ({error.msg} at character {error.colno})", QUERY_EXAMPLE
        ) from None
    name, text = (row.get("_id"), row.get("text")) if isinstance(row, dict) else (None, None)
    if not isinstance(name, (str, int)) or not str(name).strip():
        raise _wrong(path, number, 'there is no "_id"', QUERY_EXAMPLE)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(path, number, f"the query {name!r} has no text", QUERY_EXAMPLE)
    return str(name), text


def _score(path: Path, number: int, text: str) -> int:
    if not _is_number(text) or float(text) != int(float(text)):
        raise _wrong(path, number, f"the judgement {text!r} is not a whole number")
    return int(float(text))


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Rows with something on them, and their numbers from 1."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {what}.", hint="Give the path of one file.")
    with path.open("rb") as file:
        for number, row in enumerate(file, start=1):
            try:
                line = row.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise _wrong(path, number, "not UTF-8", "text saved as UTF-8") from None
            if line.strip():
                yield number, line.rstrip("\r\n")


def _wrong(path: Path, number: int, what: str, expected: str = QRELS_EXAMPLE) -> DataError:
    return DataError(f"{path}, row {number}: {what}.", hint=f"Each row must be {expected}.")


def _some(names: Collection[str]) -> str:
    shown = ", ".join(repr(name) for name in sorted(names)[:2])
    return f"{shown}, …" if len(names) > 2 else shown
