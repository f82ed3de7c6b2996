"""What was found, as HTML: marked, cut, and with nothing of the corpus taken for markup."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tabs.search_cards import COPIES, EXCERPT, cards, excerpt, marked, shortened
from tabs.searching import ALL, asked, more_like, search
from training.index.inference import SearchIndex


def shown(index: SearchIndex, query: str, mode: str = "keyword", k: int = 5, language="en") -> str:
    return cards(search(index, asked(query, k, mode)), language)


def words(html: str) -> str:
    """What a reader sees of it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_card_says_rank_score_source_and_marks_the_words(index: SearchIndex):
    html = shown(index, "rockets", k=2)
    hit = search(index, asked("rockets", 2, "keyword")).hits[0]
    first = html.split('<li class="lab-hit"')[1]
    assert '<span class="lab-rank">1</span>' in first
    assert f"{hit.score:.1f}<i" in first
    assert hit.document in first
    assert hit.title in unescape(first)
    assert re.search(r"<mark>rocket</mark>", first, re.IGNORECASE)
    assert f'data-more="{hit.id}"' in first
    assert "space" in first


def test_texts_of_the_corpus_are_shown_as_text(index: SearchIndex):
    html = shown(index, "alert harmed onerror")
    assert "&lt;script&gt;" in html
    unmarked = re.sub("</?mark>", "", html)
    assert "onerror='window.harmed = true'> <b>alert</b>" in unescape(unmarked)
    assert not re.search(r"<(script|img|b)\b", html)
    # Nothing but our own tags, and no attribute that text got into.
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {
        *("div", "section", "ol", "li", "span", "h3", "h4", "i", "p", "mark"),
        *("details", "summary", "strong", "button", "ul"),
    }
    opened = [re.sub(r'"[^"]*"', '""', tag) for tag in re.findall(r"<[^>]*>", html)]
    assert not [tag for tag in opened if re.search(r"\son\w+=", tag)]


def test_the_context_has_the_whole_passage_between_its_neighbours(index: SearchIndex):
    hit = next(
        hit
        for hit in search(index, asked("rocket moon orbit", 20, "dense")).hits
        if len(index.passages.document_rows(hit.row)) > 1
    )
    around = index.context(hit.id)
    assert around.before or around.after
    html = shown(index, "rocket moon orbit", "dense", k=20)
    contexts = [
        words(f"<{part}").replace(" ", "") for part in html.split('class="lab-context"')[1:]
    ]
    assert any(words(hit.text).replace(" ", "") in context for context in contexts)


def test_side_by_side_has_a_column_for_each_mode_with_the_ranks_of_the_others(index: SearchIndex):
    html = shown(index, "rocket", ALL, k=3)
    assert re.findall(r"<h3>(.*?)</h3>", html) == [
        "Both (hybrid)", "Meaning (dense)", "Words (keyword)",
    ]  # fmt: skip
    assert html.count('<section class="lab-column">') == 3
    assert re.search(r"meaning: no\. \d|words: no\. \d|only here", html)


def test_copies_are_folded_with_their_number_and_names(index: SearchIndex):
    html = shown(index, "onion butter recipe copied", k=3)
    assert "near-copies" in html
    listed = re.search(r'<ul class="lab-copies">(.*?)</ul>', html)
    assert listed
    assert listed[1].count("<li>") == COPIES + 1  # and an ellipsis


def test_nothing_found_is_said_in_the_reader_s_language(index: SearchIndex):
    assert "No passage has these words." in shown(index, "zzzzz")
    assert "没有段落包含这些词。" in shown(index, "zzzzz", language="zh")
    assert "<ol" not in shown(index, "zzzzz")


def test_an_endless_query_is_cut_with_a_remark_in_both_languages(index: SearchIndex):
    long = "rocket moon " * 10_000
    assert "The query has 119,999 characters; its first" in shown(index, long)
    assert "查询有 119,999 个字符" in shown(index, long, language="zh")


def test_more_like_this_says_what_is_meant(index: SearchIndex):
    hit = search(index, asked("rocket", 1, "keyword")).hits[0]
    html = cards(more_like(index, hit.id, 3, None), "en")
    assert f"More like “{hit.title}”" in unescape(html)


TEXT = "word " * 200 + "needle and thread " + "other " * 200


def test_an_excerpt_shows_the_marked_words_and_says_that_it_is_cut():
    at = TEXT.index("needle")
    html = excerpt(TEXT, [(at, at + 6), (at + 11, at + 17)])
    assert "<mark>needle</mark> and <mark>thread</mark>" in html
    assert html.startswith("…word")
    assert html.endswith("other…")
    assert len(words(html)) <= EXCERPT + 2


def test_an_excerpt_of_a_short_text_is_all_of_it():
    assert excerpt("a needle", [(2, 8)]) == "a <mark>needle</mark>"


def test_an_excerpt_without_words_begins_where_the_text_does():
    assert excerpt(TEXT, []).startswith("word word")


def test_a_text_without_spaces_is_cut_all_the_same():
    html = excerpt("搜" * 2_000, [(1_000, 1_001)])
    assert "<mark>搜</mark>" in html
    assert len(words(html)) < EXCERPT + 10


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], "a &lt;b&gt; c"),
        ([(2, 5)], "a <mark>&lt;b&gt;</mark> c"),
        ([(0, 3), (2, 5)], "<mark>a &lt;</mark><mark>b&gt;</mark> c"),
        ([(4, 6), (0, 1)], "<mark>a</mark> &lt;b<mark>&gt; </mark>c"),
    ],
)
def test_marks_never_overlap_and_all_is_escaped(spans: list, expected: str):
    assert marked("a <b> c", spans) == expected


def test_a_title_is_shortened_between_words():
    assert shortened("one  two\nthree, four", 14) == "one two three…"
    assert shortened("short", 14) == "short"
