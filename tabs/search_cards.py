"""What was found, as HTML. Every text of the corpus is escaped here: none of it is markup.

A card has rank, title, score, where the passage is from, an excerpt around the query's words, and
what opens: the passage in its document, near-copies, more like this (search_cards.js).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from tabs.fragments import plain
from tabs.i18n import say
from tabs.language import Language
from tabs.searching import Found

if TYPE_CHECKING:
    from training.index.inference import Hit, SearchIndex

SCRIPT = Path(__file__).with_name("search_cards.js")
EXCERPT = 340  # characters of a passage that a card shows
SHORT_EXCERPT = 170  # side by side
LEAD = 70  # of them before the first word that counts
AROUND = 900  # characters of the document that the context shows on either side
COPIES = 5  # near-copies that are named
SHORT_TITLE = 90
NOTICES = ("search.notice_words", "search.notice_filters")  # an index's remarks
UNTITLED = ' class="lab-hit-from"'
Span = tuple[int, int]


def results_view(elem_id: str) -> Any:
    """The component; its value is made by `cards`. Its event `more` brings a passage's id."""
    return gr.HTML(
        value="",
        js_on_load=SCRIPT.read_text("utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="lab-results",
    )


def cards(found: Found, language: Language) -> str:
    """All columns of what was found."""
    columns = "".join(_column(found, mode, language) for mode in found.by_mode)
    return f'{_heading(found, language)}<div class="lab-columns">{columns}</div>'


def _heading(found: Found, language: Language) -> str:
    if not found.like:
        return ""
    said = say("search.like", language, title=shortened(found.query or found.like, SHORT_TITLE))
    return f'<p class="lab-like">{plain(said)}</p>'


def _column(found: Found, mode: str, language: Language) -> str:
    results = found.by_mode[mode]
    head = f"<h3>{say(f'search.{mode}', language)}</h3>" if len(found.by_mode) > 1 else ""
    said = results.notice or ("" if results.hits else say("search.none", language))
    notice = f'<p class="lab-notice" role="status">{plain(_notice(said, language))}</p>'
    top = max((hit.score for hit in results.hits), default=0.0)
    items = "".join(
        _card(found, mode, rank, hit, top, language) for rank, hit in enumerate(results.hits, 1)
    )
    label = say("search.results", language)
    hits = f'<ol class="lab-hits" aria-label="{label}">{items}</ol>' if items else ""
    return f'<section class="lab-column">{head}{notice if said else ""}{hits}</section>'


def _notice(said: str, language: Language) -> str:
    """What an index remarked, in the reader's language where the table has it."""
    if cut := re.match(r"The query has ([\d,]+) characters; its first ([\d,]+) ", said):
        return say("search.notice_cut", language, given=cut[1], limit=cut[2])
    known = {say(key, "en"): key for key in NOTICES}
    return say(known[said], language) if said in known else said


def _card(found: Found, mode: str, rank: int, hit: Hit, top: float, language: Language) -> str:
    limit = EXCERPT if len(found.by_mode) == 1 else SHORT_EXCERPT
    share = max(0.0, min(1.0, hit.score / top)) if top > 0 else 0.0
    source = _source(found.index, hit, language)
    # Without a title the source stands in its place: the excerpt says how the passage begins.
    title = plain(shortened(hit.title, SHORT_TITLE)) if hit.title else source
    below = f'<p class="lab-hit-from">{source}</p>' if hit.title else ""
    return (
        f'<li class="lab-hit" data-passage="{escape(hit.id)}">'
        f'<div class="lab-hit-head"><span class="lab-rank">{rank}</span>'
        f"<h4{'' if hit.title else UNTITLED}>{title}</h4>"
        f'<span class="lab-score" title="{plain(_parts(hit, language))}">'
        f'{_score(hit.score, mode)}<i style="--share:{share:.3f}"></i></span></div>'
        f'{below}<p class="lab-hit-text">{excerpt(hit.text, hit.highlights, limit)}</p>'
        f'<div class="lab-hit-more">{_ranks(found, mode, hit, language)}'
        f"{_more_button(hit, language)}{_context(found.index, hit, language)}"
        f"{_copies(found.index, hit, language)}</div></li>"
    )


def title_of(hit: Hit) -> str:
    """The title, or how the passage begins."""
    return shortened(hit.title or hit.text, SHORT_TITLE)


def shortened(text: str, limit: int) -> str:
    """The first words of `text`, on one line."""
    line = " ".join(text[: 4 * limit].split())
    if len(line) <= limit:
        return line
    return line[: limit + 1].rsplit(" ", 1)[0][:limit].rstrip(",.;: ") + "…"


def _score(score: float, mode: str) -> str:
    return f"{score:.1f}" if mode == "keyword" else f"{score:.3f}"


def _parts(hit: Hit, language: Language) -> str:
    """What the two kinds of search thought of it."""
    parts = []
    if hit.dense is not None:
        parts.append(say("search.cosine", language, score=f"{hit.dense:.3f}"))
    if hit.keyword is not None:
        parts.append(say("search.bm25", language, score=f"{hit.keyword:.1f}"))
    return " · ".join(parts)


def _source(index: SearchIndex, hit: Hit, language: Language) -> str:
    rows = index.passages.document_rows(hit.row)
    values = {"number": hit.row - rows.start + 1, "count": len(rows)}
    parts = [f'<span class="mono">{plain(hit.document)}</span>']
    parts += [say("search.passage", language, **values)] if len(rows) > 1 else []
    tags = "".join(
        f' <span class="lab-tag" title="{plain(name)}">{plain(shortened(str(value), 40))}</span>'
        for name, value in hit.metadata.items()
    )
    return " · ".join(parts) + tags


def _ranks(found: Found, mode: str, hit: Hit, language: Language) -> str:
    """In one column both scores; side by side, where the others have the same passage."""
    if len(found.by_mode) == 1:
        said = _parts(hit, language) if mode == "hybrid" else ""
    else:
        ranks = {name: found.ranks[name].get(hit.id) for name in found.by_mode if name != mode}
        said = " · ".join(
            say(f"search.rank_{name}", language, rank=rank) for name, rank in ranks.items() if rank
        )
        said = said or say("search.alone", language)
    return f'<span class="lab-hit-parts">{plain(said)}</span>' if said else ""


def _more_button(hit: Hit, language: Language) -> str:
    label = plain(say("search.more_of", language, title=title_of(hit)))
    return (
        f'<button type="button" data-more="{escape(hit.id)}" aria-label="{label}">'
        f"{plain(say('search.more', language))}</button>"
    )


def _context(index: SearchIndex, hit: Hit, language: Language) -> str:
    """The whole passage, with what stands around it in its document."""
    around = index.passages.context(hit.row, characters=AROUND)
    before, after = plain(around.before), plain(around.after)
    passage = marked(hit.text, hit.highlights)
    return (
        f"<details><summary>{plain(say('search.context', language))}</summary>"
        '<div class="lab-context" tabindex="0">'
        f"{before}<strong>{passage}</strong>{after}</div></details>"
    )


def _copies(index: SearchIndex, hit: Hit, language: Language) -> str:
    if not hit.duplicates:
        return ""
    count = len(hit.duplicates)
    said = say("search.copy" if count == 1 else "search.copies", language, count=count)
    names = [plain(_place(index, copy)) for copy in hit.duplicates[:COPIES]]
    names += ["…"] if count > COPIES else []
    items = "".join(f"<li>{name}</li>" for name in names)
    return f'<details><summary>{plain(said)}</summary><ul class="lab-copies">{items}</ul></details>'


def _place(index: SearchIndex, passage: str) -> str:
    row = index.passages.row_of(passage)
    title = index.passages.cell(row, "title")
    return f"{title} ({passage})" if title else passage


def excerpt(text: str, highlights: Sequence[Span], limit: int = EXCERPT) -> str:
    """The stretch of `text` with most of the marked words, as HTML on one line."""
    start, end = _window(text, highlights, limit)
    spans = [(a - start, b - start) for a, b in highlights if start <= a and b <= end]
    body = marked(text[start:end], spans)
    return f"{'…' if start else ''}{body}{'…' if end < len(text) else ''}"


def _window(text: str, highlights: Sequence[Span], limit: int) -> Span:
    """From before the first to after the last word, cut between words."""
    if len(text) <= limit + LEAD:
        return 0, len(text)
    starts = [max(0, a - LEAD) for a, _ in highlights] or [0]
    best = max(starts, key=lambda s: (sum(s <= a and b <= s + limit for a, b in highlights), -s))
    end = min(len(text), best + limit)
    start = max(0, end - limit)
    return _word_start(text, start), _word_end(text, end)


def _word_start(text: str, at: int) -> int:
    """The next beginning of a word, if there is one near; scripts without spaces have none."""
    gap = next((n for n in range(at, min(at + 25, len(text))) if text[n].isspace()), None)
    return at if at == 0 or gap is None else gap + 1


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    gap = next((n for n in range(at, max(at - 25, 0), -1) if text[n].isspace()), None)
    return at if gap is None else gap


def marked(text: str, highlights: Sequence[Span]) -> str:
    """`text` as HTML with its spans marked; spans that overlap are one."""
    parts, position = [], 0
    for start, end in sorted(highlights):
        start = max(start, position)
        if start >= end:
            continue
        parts += [plain(text[position:start]), f"<mark>{plain(text[start:end])}</mark>"]
        position = end
    return "".join(parts) + plain(text[position:])
