"""Rows "Repositories" of HUB_PROTOCOL.md, through the official client."""

import pytest
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)

from .conftest import fresh_name, put

KINDS = ("model", "dataset", "space")
SDK = {"space": {"space_sdk": "gradio"}}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def made(api, kind):
    """A new repository of each kind: (id, kind)."""
    name = f"lab/{fresh_name(kind)}"
    api.create_repo(name, repo_type=kind, **SDK.get(kind, {}))
    return name, kind


def info(api, made, **options):
    return api.repo_info(made[0], repo_type=made[1], **options)


def test_created_repository_answers_with_its_url(api, hub_server):
    name = f"lab/{fresh_name()}"
    url = api.create_repo(name, repo_type="dataset")
    assert url == f"{hub_server.endpoint}/datasets/{name}"
    assert (url.repo_id, url.repo_type) == (name, "dataset")


def test_name_without_a_namespace_is_the_owners(api):
    name = fresh_name()
    assert api.create_repo(name).repo_id == f"lab/{name}"


def test_second_creation_is_a_conflict_unless_it_may_exist(api, made):
    name, kind = made
    options = SDK.get(kind, {})
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(name, repo_type=kind, **options)
    again = api.create_repo(name, repo_type=kind, exist_ok=True, **options)
    assert again.repo_id == name


def test_new_repository_has_a_commit_to_resolve(api, made):
    found = info(api, made)
    assert len(found.sha) == 40
    assert found.id == made[0]
    assert found.author == "lab"
    assert [s.rfilename for s in found.siblings] == [".gitattributes"]
    assert found.created_at <= found.last_modified


def test_deleted_repository_is_missing(api, made):
    name, kind = made
    api.delete_repo(name, repo_type=kind)
    with pytest.raises(RepositoryNotFoundError):
        info(api, made)
    api.delete_repo(name, repo_type=kind, missing_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(name, repo_type=kind)


def test_moved_repository_answers_under_its_new_name_only(api, made):
    name, kind = made
    new = f"team/{fresh_name('moved')}"
    sha = info(api, made).sha
    api.move_repo(name, new, repo_type=kind)
    assert info(api, (new, kind)).sha == sha
    with pytest.raises(RepositoryNotFoundError):
        info(api, made)


def test_visibility_can_be_changed(api, stranger, made):
    name, kind = made
    api.update_repo_settings(name, repo_type=kind, private=True)
    assert info(api, made).private is True
    with pytest.raises(RepositoryNotFoundError):
        info(stranger, made)
    api.update_repo_settings(name, repo_type=kind, private=False)
    assert info(stranger, made).private is False


def test_private_repository_is_visible_to_its_owner_only(api, stranger, private_repo):
    api.auth_check(private_repo)
    api.auth_check(private_repo, write=True)
    with pytest.raises(RepositoryNotFoundError) as caught:
        stranger.auth_check(private_repo)
    assert caught.value.response.status_code == 401
    listed = {m.id for m in stranger.list_models()}
    assert private_repo not in listed
    assert private_repo in {m.id for m in api.list_models()}


def test_missing_and_private_look_the_same_to_a_stranger(anonymous, private_repo):
    answers = [anonymous.get(f"/api/models/{n}") for n in (private_repo, "lab/no-such-thing")]
    assert [a.status_code for a in answers] == [401, 401]
    shapes = [
        a.text.replace(n, "X")
        for a, n in zip(answers, (private_repo, "lab/no-such-thing"), strict=True)
    ]
    assert shapes[0] == shapes[1]
    assert answers[0].headers["X-Error-Code"] == "RepoNotFound"


def test_gated_repository_shows_its_info_but_no_file(api, stranger, repo, tmp_path):
    api.update_repo_settings(repo, gated="auto")
    assert stranger.model_info(repo).gated == "auto"
    with pytest.raises(GatedRepoError):
        stranger.hf_hub_download(repo, ".gitattributes", cache_dir=tmp_path)
    assert api.file_exists(repo, ".gitattributes")


def test_stranger_can_read_but_never_write(stranger, anonymous, repo):
    assert stranger.model_info(repo).id == repo
    requests = [
        ("POST", "/api/repos/create", {"name": "x"}),
        ("DELETE", "/api/repos/delete", {"name": repo.split("/")[1], "organization": "lab"}),
        ("POST", "/api/repos/move", {"fromRepo": repo, "toRepo": "lab/y"}),
        ("PUT", f"/api/models/{repo}/settings", {"visibility": "private"}),
        ("POST", f"/api/models/{repo}/branch/b", {}),
        ("DELETE", f"/api/models/{repo}/branch/b", None),
        ("POST", f"/api/models/{repo}/tag/main", {"tag": "t"}),
        ("DELETE", f"/api/models/{repo}/tag/t", None),
        ("POST", f"/api/models/{repo}/preupload/main", {"files": []}),
        ("POST", f"/api/models/{repo}/commit/main", {}),
        ("POST", f"/api/models/{repo}/super-squash/main", {}),
        ("POST", f"/api/models/{repo}/lfs-files/duplicate", {}),
        ("POST", f"/{repo}.git/info/lfs/objects/batch", {"operation": "upload", "objects": []}),
        ("POST", f"/{repo}.git/info/lfs/objects/verify", {"oid": "0" * 64, "size": 1}),
    ]
    answers = {(m, p): anonymous.request(m, p, json=b).status_code for m, p, b in requests}
    assert set(answers.values()) == {401}, answers


@pytest.mark.parametrize("name", ["..", "a/../b", "x.git", "a b", "é", "a--b", "x" * 97, ""])
def test_bad_names_are_refused_by_the_server_too(raw, name):
    answer = raw.post("/api/repos/create", json={"name": name, "type": "model"})
    assert answer.status_code == 400
    assert "no valid name" in answer.headers["X-Error-Message"]


def test_space_needs_a_known_sdk(raw):
    answer = raw.post("/api/repos/create", json={"name": fresh_name(), "type": "space"})
    assert answer.status_code == 400


def test_info_of_a_model_says_what_the_files_say(api, repo):
    card = (
        "---\nlicense: mit\ntags: [tiny]\nmodel-index:\n- name: m\n  results:\n"
        "  - task: {type: text-classification}\n    dataset: {type: lab/d, name: d}\n"
        "    metrics: [{type: accuracy, value: 0.9}]\n---\n# m\n"
    )
    config = b'{"architectures": ["BertForSequenceClassification"], "model_type": "bert"}'
    weights = b"w" * 3000
    put(api, repo, {"README.md": card.encode(), "config.json": config, "w.safetensors": weights})
    found = api.model_info(repo, files_metadata=True, securityStatus=True)
    assert (found.pipeline_tag, found.library_name) == ("text-classification", "transformers")
    assert {"tiny", "license:mit", "bert", "transformers"} <= set(found.tags)
    assert found.card_data.license == "mit"
    assert found.card_data.eval_results[0].metric_value == 0.9
    assert found.model_index[0]["name"] == "m"
    assert found.config["model_type"] == "bert"
    assert found.transformers_info.auto_model == "AutoModelForSequenceClassification"
    files = {s.rfilename: s for s in found.siblings}
    assert files["config.json"].size == len(config)
    assert files["config.json"].blob_id
    assert files["w.safetensors"].size == files["w.safetensors"].lfs.size == 3000
    assert files["w.safetensors"].lfs.pointer_size > 100


def test_info_at_a_revision_is_of_that_revision(api, repo):
    first = put(api, repo, {"a.txt": b"1"}).oid
    put(api, repo, {"b.txt": b"2"})
    found = api.model_info(repo, revision=first)
    assert found.sha == first
    assert [s.rfilename for s in found.siblings] == [".gitattributes", "a.txt"]


def test_expand_gives_what_was_asked_for_only(api, repo):
    found = api.model_info(repo, expand=["sha", "tags"])
    assert found.sha
    assert found.siblings is None
    assert found.private is None


def test_id_that_is_a_local_path_or_has_no_namespace_is_not_found(raw):
    for path in ("/api/models//tmp/some/folder", "/api/models/gpt2", "/gpt2/resolve/main/config.json",
                 "/api/models/a/b/c/d", "/api/models/lab/%2E%2E", "/api/datasets/nope"):  # fmt: skip
        answer = raw.get(path)
        assert (answer.status_code, answer.headers.get("X-Error-Code")) == (404, "RepoNotFound"), (
            path
        )


def test_unknown_api_path_is_a_plain_404(raw):
    answer = raw.get("/api/magic")
    assert answer.status_code == 404
    assert "X-Error-Code" not in answer.headers


# -- listings ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(api):
    """Three public models and one data set of one author, which other tests do not touch."""
    cards = {
        "tiny-bert": "license: mit\nlanguage: en\npipeline_tag: fill-mask\ndatasets: shelf/words",
        "tiny-gpt": "license: mit\nlanguage: zh\nlibrary_name: transformers",
        "big-clip": "license: apache-2.0\ntags: [vision]",
    }
    for name, card in cards.items():
        api.create_repo(f"shelf/{name}")
        put(api, f"shelf/{name}", {"README.md": f"---\n{card}\n---\n".encode()})
    api.create_repo("shelf/words", repo_type="dataset")
    put(api, "shelf/words", {"README.md": b"---\nlanguage: en\n---\n"}, repo_type="dataset")


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, {"tiny-bert", "tiny-gpt", "big-clip"}),
        ({"search": "tiny"}, {"tiny-bert", "tiny-gpt"}),
        ({"filter": "license:mit"}, {"tiny-bert", "tiny-gpt"}),
        ({"filter": ["license:mit", "zh"]}, {"tiny-gpt"}),
        ({"filter": "vision"}, {"big-clip"}),
        ({"pipeline_tag": "fill-mask"}, {"tiny-bert"}),
        ({"trained_dataset": "shelf/words"}, {"tiny-bert"}),
    ],
)
def test_models_are_listed_by_what_is_asked(stranger, query, names):
    listed = {m.id.removeprefix("shelf/") for m in stranger.list_models(author="shelf", **query)}
    assert listed == names


@pytest.mark.usefixtures("shelf")
def test_data_sets_and_spaces_are_listed_apart(stranger):
    assert [d.id for d in stranger.list_datasets(author="shelf", language="en")] == ["shelf/words"]
    assert list(stranger.list_spaces(author="shelf")) == []


@pytest.mark.usefixtures("shelf")
def test_listing_is_sorted_and_limited(api):
    newest = [m.id for m in api.list_models(author="shelf", sort="last_modified")]
    assert newest == ["shelf/big-clip", "shelf/tiny-gpt", "shelf/tiny-bert"]
    assert [m.id for m in api.list_models(author="shelf", sort="created_at", limit=1)] == newest[:1]
    assert len(list(api.list_models(author="shelf", sort="downloads"))) == 3


@pytest.mark.usefixtures("shelf")
def test_full_listing_has_files_and_cards(api):
    found = next(
        m for m in api.list_models(author="shelf", search="bert", full=True, cardData=True)
    )
    assert [s.rfilename for s in found.siblings] == [".gitattributes", "README.md"]
    assert found.card_data.license == "mit"
    assert (found.sha, found.gated) == (api.model_info(found.id).sha, False)
    brief = next(m for m in api.list_models(author="shelf", search="bert"))
    assert (brief.siblings, brief.card_data) == (None, None)


@pytest.mark.usefixtures("shelf")
def test_expanded_listing_has_what_was_asked(api):
    found = next(m for m in api.list_models(author="shelf", search="bert", expand=["siblings"]))
    assert len(found.siblings) == 2
    assert found.tags is None


@pytest.mark.usefixtures("shelf")
def test_pages_are_linked_and_end(anonymous):
    url, seen = "/api/models?author=shelf&limit=2", []
    while url:
        answer = anonymous.get(url)
        seen.append([m["id"] for m in answer.json()])
        url = answer.links.get("next", {}).get("url")
    assert [len(page) for page in seen] == [2, 1]
    assert len({name for page in seen for name in page}) == 3


@pytest.mark.parametrize("query", ["cursor=x", "cursor=[1]", "limit=x", "limit=-1"])
def test_broken_listing_parameters_are_refused(anonymous, query):
    assert anonymous.get(f"/api/models?{query}").status_code == 400


def test_the_client_turns_a_refusal_into_its_own_error(api):
    with pytest.raises(BadRequestError, match="no valid name"):
        api.move_repo("lab/a--b", "lab/c")


@pytest.mark.parametrize("visibility", ["protected", 3])
def test_unknown_visibility_is_refused_not_taken_for_public(raw, visibility):
    body = {"name": fresh_name(), "type": "model", "visibility": visibility}
    assert raw.post("/api/repos/create", json=body).status_code == 400


def test_duplicate_has_the_history_and_files_but_no_secrets(api, hub_server):
    source, target = f"lab/{fresh_name('source')}", f"lab/{fresh_name('target')}"
    secrets = [{"key": "HF_TOKEN", "value": "x"}]
    api.create_repo(source, repo_type="space", space_sdk="gradio", space_secrets=secrets)
    put(api, source, {"app.py": b"1", "w.safetensors": b"W" * 900}, repo_type="space")
    url = api.duplicate_repo(source, target, repo_type="space", private=True)
    assert url == f"{hub_server.endpoint}/spaces/{target}"
    copy = api.space_info(target)
    assert (copy.sha, copy.private) == (api.space_info(source).sha, True)
    assert api.get_space_secrets(target) == {}
    api.delete_repo(source, repo_type="space")
    path = api.hf_hub_download(target, "w.safetensors", repo_type="space")
    with open(path, "rb") as file:  # noqa: PTH123 - the client gives text paths
        assert file.read() == b"W" * 900


def test_owner_sees_what_the_repositories_weigh(api, private_repo):
    found = {repo.id: repo for repo in api.list_user_repos()}
    assert found[private_repo].visibility == "private"
    assert found[private_repo].storage > 2000


def test_hub_can_be_called_localhost(hub_server):
    from huggingface_hub import HfApi

    endpoint = hub_server.endpoint.replace("127.0.0.1", "localhost")
    api = HfApi(endpoint=endpoint, token=hub_server.token)
    url = api.create_repo(f"lab/{fresh_name()}", repo_type="dataset")
    assert url.startswith(endpoint)
    put(api, url.repo_id, {"w.safetensors": b"W" * 500}, repo_type="dataset")
    assert api.file_exists(url.repo_id, "w.safetensors", repo_type="dataset")


def test_other_host_names_are_not_echoed_into_links(raw, hub_server):
    body = {"name": fresh_name(), "type": "model"}
    answer = raw.post("/api/repos/create", json=body, headers={"Host": "evil.example"})
    assert answer.json()["url"].startswith(hub_server.endpoint)
