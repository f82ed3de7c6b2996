"""What the tabs may use: models by name, what is missing, pins, read-only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub_utils.connection import Hub
from hub_utils.errors import HubUnavailableError, LabError
from tabs.i18n import PageError
from tabs.kinds import CLASSIFIER, GENERATOR, KINDS
from tabs.registry import TABS, tab_named
from tabs.services import Services
from tests.tabs.lab import HubProcess, publish, wait_until

Make = Callable[..., Services]
CLASSIFY, GENERATE, SEARCH, MATCH, PAINT = map(
    tab_named, ("classify", "generate", "search", "match", "paint")
)


@pytest.fixture
def revisions(own_hub: Hub, classifiers: tuple[Path, Path]) -> tuple[str, str]:
    """Two revisions of the default classifier, the older one first."""
    older, newer = (publish(own_hub, folder).revision for folder in classifiers)
    return older, newer


def test_starting_warms_the_published_classifier(make_services: Make, revisions: tuple[str, str]):
    services = make_services()
    services.start()
    served = services.slot(CLASSIFIER).serving(timeout=60)
    assert served.revision == revisions[1]
    assert set(served.model.classify(["oil price"])[0]) == {"acq", "crude", "earn", "money-fx"}


def test_every_tab_with_a_model_has_a_kind_and_one_watch_serves_them_all(
    make_services: Make, own_hub: Hub, revisions: tuple[str, str], generator: Path
):
    assert [kind.tab for kind in KINDS] == [tab.name for tab in TABS if tab.repo]
    published = publish(own_hub, generator, GENERATE.repo).revision
    services = make_services()
    services.start()
    served = services.slot(GENERATOR).serving(timeout=60)
    assert served.revision == published
    assert served.metric is not None
    assert (served.metric.type, served.metric.value) == ("bits_per_byte", 2.001)
    assert len(list(served.model.stream("Once", 5))) == 5
    assert services.slot(CLASSIFIER).serving(timeout=60).revision == revisions[1]


def test_a_page_of_one_tab_loads_and_misses_that_tabs_model_alone(
    make_services: Make, revisions: tuple[str, str]
):
    services = make_services(tabs=("classify", "paint"))
    services.start()
    assert services.slot(CLASSIFIER).serving(timeout=60).revision == revisions[1]
    assert services.missing() == (PAINT,)
    assert [slot.repo.name for slot in services._slots.all()] == [CLASSIFY.repo, PAINT.repo]


def test_the_page_comes_alive_when_the_artefact_lands(
    make_services: Make, own_hub: Hub, classifiers: tuple[Path, Path]
):
    services = make_services()
    services.start()
    wait_until(lambda: services.slot(CLASSIFIER).state.waiting, what="the slot to know it waits")
    revision = publish(own_hub, classifiers[0]).revision
    wait_until(
        lambda: services.slot(CLASSIFIER).state.served is not None, what="the model to serve"
    )
    assert services.slot(CLASSIFIER).serving(timeout=1).revision == revision


def test_a_tab_serves_what_lab_models_names(
    make_services: Make, own_hub: Hub, classifiers: tuple[Path, Path]
):
    publish(own_hub, classifiers[0], "ticket-router")
    services = make_services(models={"classify": "ticket-router"})
    services.slot(CLASSIFIER)
    services.refresh()
    assert str(services.slot(CLASSIFIER).serving(timeout=1).repo) == "lab/ticket-router"


def test_any_published_classifier_can_be_chosen(
    make_services: Make, own_hub: Hub, classifiers: tuple[Path, Path], revisions: tuple[str, str]
):
    publish(own_hub, classifiers[0], "ticket-router")
    services = make_services()
    services.refresh()
    assert services.choices(CLASSIFIER) == ("lab/reuters-classifier", "lab/ticket-router")
    services.slot(CLASSIFIER, "lab/ticket-router")
    services.refresh()
    assert (
        str(services.slot(CLASSIFIER, "lab/ticket-router").serving(timeout=1).repo)
        == "lab/ticket-router"
    )


def test_a_model_of_another_kind_cannot_be_chosen(
    make_services: Make, own_hub: Hub, revisions: tuple[str, str]
):
    services = make_services()
    services.refresh()
    assert services.choices(GENERATOR) == ("lab/fairy-tale-gpt",)
    with pytest.raises(PageError, match="not a model of this namespace that this tab can serve"):
        services.slot(GENERATOR, "lab/reuters-classifier")


@pytest.mark.parametrize(
    "repo", ["someone/else", "lab/unpublished", "../../etc/passwd", "<script>"]
)
def test_nothing_but_a_published_classifier_can_be_chosen(make_services: Make, repo: str):
    with pytest.raises(PageError, match="not a model of this namespace"):
        make_services().slot(CLASSIFIER, repo)


def test_what_is_missing_is_what_the_recipes_have_not_published(
    make_services: Make, own_hub: Hub, classifiers: tuple[Path, Path], generator: Path
):
    services = make_services()
    services.slot(CLASSIFIER)
    in_the_order_of_the_tabs = (CLASSIFY, GENERATE, SEARCH, MATCH, PAINT)
    assert services.missing() == in_the_order_of_the_tabs
    publish(own_hub, classifiers[0])
    assert services.missing() == (GENERATE, SEARCH, MATCH, PAINT)
    publish(own_hub, generator, "fairy-tale-gpt")
    publish(own_hub, generator, "emoji-clip")
    publish(own_hub, generator, "emoji-painter")
    publish(own_hub, generator, "newsgroups-index")  # a model of that name is no index
    assert services.missing() == (SEARCH,)
    publish(own_hub, generator, "newsgroups-index", type="dataset")
    assert services.missing() == ()


def test_with_the_hub_away_nobody_says_what_is_missing(
    make_services: Make, hub_process: HubProcess
):
    services = make_services()
    services.slot(CLASSIFIER)
    hub_process.stop()
    with pytest.raises(HubUnavailableError):
        services.missing()
    hub_process.start()


def test_an_older_revision_is_served_when_pinned_and_after_a_restart(
    make_services: Make, revisions: tuple[str, str]
):
    services = make_services()
    repo = services.slot(CLASSIFIER).repo
    services.refresh()
    services.pin(repo, revisions[0])
    assert services.slot(CLASSIFIER).serving(timeout=1).revision == revisions[0]
    again = make_services()
    again.slot(CLASSIFIER)
    again.refresh()
    assert again.serving(repo) == revisions[0]
    again.pin(repo, None)
    assert again.serving(repo) == revisions[1]


def test_a_pin_that_does_not_load_is_taken_back(
    make_services: Make, own_hub: Hub, revisions: tuple[str, str]
):
    services = make_services()
    repo = services.slot(CLASSIFIER).repo
    services.refresh()
    with pytest.raises(LabError):
        services.pin(repo, "0" * 40)
    assert services.pin_of(repo) is None
    assert services.serving(repo) == revisions[1]
    assert services.slot(CLASSIFIER).state.problem is None


def test_the_page_cannot_undo_lab_revisions(make_services: Make, revisions: tuple[str, str]):
    services = make_services(revisions={"reuters-classifier": revisions[0]})
    repo = services.slot(CLASSIFIER).repo
    services.refresh()
    assert services.serving(repo) == revisions[0]
    with pytest.raises(PageError, match="LAB_REVISIONS pins lab/reuters-classifier"):
        services.pin(repo, revisions[1])


def test_the_slow_trainings_come_last(make_services: Make):
    services = make_services()
    services.train([SEARCH, MATCH])
    assert [job.name for job in services.jobs.all()] == ["clip", "index"]


def test_only_what_is_published_can_be_trained_on(
    make_services: Make, own_hub: Hub, generator: Path
):
    services = make_services()
    with pytest.raises(PageError, match="nothing to go on from"):
        services.train_on()
    assert services.jobs.all() == ()
    publish(own_hub, generator, "emoji-painter")
    services.train_on()
    assert [(job.name, job.active) for job in services.jobs.all()] == [("diffusion", True)]


def test_a_read_only_page_changes_nothing(make_services: Make, revisions: tuple[str, str]):
    services = make_services(read_only=True)
    with pytest.raises(PageError, match="read-only"):
        services.train([CLASSIFY])
    with pytest.raises(PageError, match="read-only"):
        services.train_on()
    with pytest.raises(PageError, match="read-only"):
        services.pin(services.slot(CLASSIFIER).repo, revisions[0])
    assert services.jobs.all() == ()


def test_a_read_only_page_never_trains_what_is_missing(make_services: Make):
    services = make_services(read_only=True)
    services.start(train_missing=True)
    wait_until(lambda: services.catalog.listing.asked, what="the first look at the Hub")
    services.close()
    assert services.jobs.all() == ()


def test_files_for_download_end_with_the_services(make_services: Make):
    services = make_services()
    folder = services.scratch()
    assert folder.is_dir()
    services.close()
    assert not folder.exists()
