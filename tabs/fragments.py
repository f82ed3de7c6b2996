"""Small pieces of HTML that the tabs show. Everything that comes from outside is escaped here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from types import MappingProxyType
from typing import Any

from hub_utils.cards import Metric
from hub_utils.catalog import Published
from hub_utils.connection import Hub
from tabs.catalog import Listing
from tabs.i18n import TEXTS, duration, say, sentence
from tabs.jobs import JobState, Progress
from tabs.language import Language
from tabs.model_slot import SlotState
from tabs.spaces import SpaceNow

LOWER_IS_BETTER = ("bits_per_byte", "perplexity", "loss")
_CARDS = {"model": "model.card", "dataset": "model.card_dataset"}
LOG_SHOWN = 6  # lines of a deployment
SHORT = 7  # hex digits of a revision that a reader sees


def link(url: str, text: str, *, mono: bool = False) -> str:
    """A link that opens beside the page."""
    attributes = ' class="mono"' if mono else ""
    return f'<a href="{escape(url)}" target="_blank" rel="noopener"{attributes}>{escape(text)}</a>'


def revision(text: str | None) -> str:
    """The short form of a commit; branches and tags stay whole."""
    text = text or ""
    return text[:SHORT] if re.fullmatch(r"[0-9a-f]{40}", text) else text


def provenance(state: SlotState[Any], url: str, language: Language) -> str:
    """Where the served model came from: repository, revision, headline metric, card."""
    if state.served is None:
        return ""
    served = state.served
    at = f"{url}/tree/{served.revision}"
    parts = [
        link(url, str(served.repo), mono=True),
        f"{say('model.served', language)} {link(at, revision(served.revision), mono=True)}",
        metric(served.metric, language),
        f'<span class="lab-tag">{say("model.pinned", language)}</span>' if state.pin else "",
        link(url, say(_CARDS[state.repo.type], language)),
    ]
    return f'<p class="lab-from">{" · ".join(filter(None, parts))}</p>'


def metric(figure: Metric | None, language: Language) -> str:
    """A headline figure as "accuracy 0.978" or "bits per byte 2.031 (lower is better)"."""
    if figure is None:
        return ""
    said = f"{escape(figure.name.replace('_', ' ').lower())} {figure.value:.3f}"
    return say("model.lower", language, figure=said) if figure.type in LOWER_IS_BETTER else said


def notice(state: SlotState[Any], job: JobState | None, command: str, language: Language) -> str:
    """What a reader must know about the model right now; empty when all is well."""
    repo = str(state.repo)
    if state.served is not None:
        return _served_notice(state, language)
    if state.problem is not None and not state.loading and not state.away:
        return _panel(sentence(state.problem, language), kind="problem")
    if state.away:
        return _panel(say("notice.away_empty", language, repo=repo), kind="away")
    if state.waiting:
        how = say("notice.waiting_how", language, command=command) if command else ""
        if job is not None and job.active:
            return _panel(
                say("notice.waiting", language, repo=repo), inner=job_panel(job, language)
            )
        return _panel(say("notice.waiting", language, repo=repo) + " " + how, kind="waiting")
    key = "notice.loading" if state.loading or state.newest else "notice.asking"
    return _panel(say(key, language, repo=repo), kind="busy")


def _served_notice(state: SlotState[Any], language: Language) -> str:
    assert state.served is not None  # noqa: S101 - narrows the type
    served = revision(state.served.revision)
    if state.away:
        return _panel(say("notice.away", language, revision=served), kind="away")
    if state.problem is not None:
        return _panel(sentence(state.problem, language), kind="problem")
    if state.offered:
        text = say("notice.offer", language, revision=revision(state.offered), served=served)
        return _panel(text, kind="offer")
    return ""


def _panel(text: str, *, kind: str = "waiting", inner: str = "") -> str:
    return _panel_html(
        re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)), kind=kind, inner=inner
    )


def _panel_html(body: str, *, kind: str, inner: str = "") -> str:
    return f'<div class="lab-notice lab-{kind}" role="status"><p>{body}</p>{inner}</div>'


def job_panels(jobs: Sequence[JobState], language: Language) -> str:
    """Every training of this session, in the order of their start."""
    if not jobs:
        return f'<p class="lab-quiet">{say("job.idle", language)}</p>'
    return "".join(job_panel(job, language) for job in jobs)


def job_panel(job: JobState, language: Language) -> str:
    """A training: its phase, a bar, time left and the loss curve."""
    progress = job.progress
    phase = _phase(progress, language)
    title = say(
        "job.kept_back" if job.kept_back else f"job.{job.status}",
        language,
        recipe=job.title or job.name,
        phase=phase,
        problem=job.problem,
    )
    head = f'<p class="lab-job-title">{escape(title)}</p>'
    if job.status != "running":
        return f'<div class="lab-job lab-job-{job.status}">{head}{_curve(job, language)}</div>'
    return f'<div class="lab-job">{head}{_bar(job, language)}{_curve(job, language)}</div>'


def _phase(progress: Progress, language: Language) -> str:
    key = f"phase.{progress.phase}"
    if key not in TEXTS:  # a recipe's own word
        return progress.message or progress.phase or say("phase.start", language)
    return ": ".join(filter(None, (say(key, language), progress.message)))


def _bar(job: JobState, language: Language) -> str:
    progress, facts = job.progress, []
    if progress.steps:
        facts.append(say("job.step", language, step=progress.step, steps=progress.steps))
    if progress.loss is not None:
        facts.append(say("job.loss", language, loss=f"{progress.loss:.3f}"))
    if progress.seconds_left is not None:
        facts.append(say("job.left", language, time=duration(progress.seconds_left, language)))
    return bar(progress.fraction) + f'<p class="lab-quiet">{escape(" · ".join(facts))}</p>'


def bar(fraction: float) -> str:
    """A progress bar, 0 to 1."""
    percent = round(100 * fraction)
    return (
        f'<div class="lab-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" '
        f'aria-valuemax="100"><span style="width:{percent}%"></span></div>'
    )


def _curve(job: JobState, language: Language) -> str:
    if len(job.progress.history) < 2:
        return ""
    return loss_curve(job.progress.history, say("job.curve", language))


def loss_curve(history: Sequence[tuple[float, float]], label: str) -> str:
    """(step, loss) points as an SVG line with its first, last and lowest value readable."""
    width, height = 600.0, 120.0
    steps, losses = [step for step, _ in history], [loss for _, loss in history]
    low, high = min(losses), max(losses)
    x_span, y_span = (max(steps) - min(steps)) or 1, (high - low) or 1
    points = " ".join(
        f"{(step - min(steps)) / x_span * width:.1f},{(high - loss) / y_span * height:.1f}"
        for step, loss in history
    )
    return (
        f'<figure class="lab-curve"><figcaption>{escape(label)}</figcaption>'
        f'<div class="lab-curve-plot"><span class="lab-curve-high">{high:.2f}</span>'
        f'<svg viewBox="0 -4 {width:.0f} {height + 8:.0f}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}: {losses[0]:.2f} → {losses[-1]:.2f}">'
        f'<polyline points="{points}" vector-effect="non-scaling-stroke"/></svg>'
        f'<span class="lab-curve-low">{low:.2f}</span></div></figure>'
    )


def when(moment: datetime | None) -> str:
    """A moment as `<time>`, to the minute, UTC."""
    if moment is None:
        return ""
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M}</time>'


def plain(text: object) -> str:
    """Words from anywhere, made safe inside HTML."""
    return escape(str(text))


def quiet(said: str) -> str:
    """A line about what just happened, which a screen reader says."""
    return f'<p class="lab-quiet" role="status">{escape(said)}</p>'


def where(hub: Hub, *, away: bool, language: Language) -> str:
    """Which Hub this is and whether it answers."""
    kind = say("hub.embedded" if hub.embedded else "hub.remote", language)
    name = f"{say('hub.namespace', language)} <strong>{escape(hub.namespace)}</strong>"
    said = f"{kind} {link(hub.endpoint, hub.endpoint, mono=True)} · {name}"
    if away:
        return _panel_html(f"{said} · {say('hub.away', language)}", kind="away")
    return f'<p class="lab-where">{said}</p>'


def published(
    listing: Listing,
    serving: Mapping[str, str | None],
    language: Language,
    spaces: Mapping[str, SpaceNow] = MappingProxyType({}),
) -> str:
    """The namespace's repositories as a table, the newest first; of Spaces, how they stand."""
    if not listing.items:
        key = "hub.nothing" if listing.asked else "hub.asking"
        return f'<p class="lab-quiet">{say(key, language)}</p>'
    keys = ("repository", "revision", "metric", "updated")
    head = "".join(f'<th scope="col">{say(f"hub.{key}", language)}</th>' for key in keys)
    rows = "".join(
        _published_row(
            item,
            serving.get(str(item.repo)),
            spaces.get(str(item.repo)) if item.repo.type == "space" else None,
            language,
        )
        for item in listing.items
    )
    return f'<table class="lab-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _published_row(
    item: Published, serving: str | None, space: SpaceNow | None, language: Language
) -> str:
    tags = [say(f"hub.{item.repo.type}", language)]
    tags += [say("hub.private", language)] if item.private else []
    marks = "".join(f' <span class="lab-tag">{tag}</span>' for tag in tags)
    if serving:
        said = say("hub.serving", language) + " " + revision(serving)
        marks += f' <span class="lab-tag lab-tag-on">{said}</span>'
    marks += _space_marks(space, language) if space else ""
    at = link(f"{item.url}/tree/{item.revision}", revision(item.revision), mono=True)
    cells = (
        link(item.url, str(item.repo), mono=True) + marks,
        at if item.revision else "",
        metric(item.metric, language),
        when(item.last_modified),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _space_marks(space: SpaceNow, language: Language) -> str:
    on = " lab-tag-on" if space.url else ""
    marks = f' <span class="lab-tag{on}">{escape(stage(space.stage, language))}</span>'
    return marks + (f" {link(space.url, say('spaces.open', language))}" if space.url else "")


def stage(name: str, language: Language) -> str:
    """A Space's stage in words; one that we do not know as the Hub calls it."""
    key = f"stage.{name}"
    return say(key, language) if key in TEXTS else name.replace("_", " ").lower()


def deployments(jobs: Sequence[JobState], now: Mapping[str, SpaceNow], language: Language) -> str:
    """Every deployment of this session, in the order of their start; `now`: by the Space's name."""
    return "".join(_deployment(job, now.get(job.name), language) for job in jobs)


def _deployment(job: JobState, now: SpaceNow | None, language: Language) -> str:
    title = say(f"deployment.{job.status}", language, name=job.name, problem=job.problem)
    if job.status == "finished" and now and not now.url:  # what became of it since
        title = f"{job.name}: {stage(now.stage, language)}"
    head = f'<p class="lab-job-title">{escape(title)}</p>'
    body = ""
    if job.status in ("running", "failed") and job.log:
        lines = escape("\n".join(job.log[-LOG_SHOWN:]))
        body = f'<pre class="lab-log">{lines}</pre>'
    elif job.status == "finished" and now and now.url:
        body = f'<p class="lab-quiet">{link(now.url, now.url, mono=True)}</p>'
    return f'<div class="lab-job lab-job-{job.status}">{head}{body}</div>'
