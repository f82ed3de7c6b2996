"""Rows "Account" of HUB_PROTOCOL.md."""

import pytest
from huggingface_hub import HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError


def test_whoami_names_the_owner_and_the_tokens_role(api):
    me = api.whoami()
    assert (me["type"], me["name"], me["orgs"]) == ("user", "lab", [])
    assert me["auth"]["accessToken"]["role"] == "write"


def test_wrong_token_is_named_as_such_everywhere(hub_server, raw, repo):
    bad = HfApi(endpoint=hub_server.endpoint, token="hf_wrong")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        bad.whoami()
    for path in (f"/api/models/{repo}", f"/{repo}/resolve/main/.gitattributes", "/api/models"):
        answer = raw.get(path, headers={"Authorization": "Bearer hf_wrong"})
        assert answer.status_code == 401
        assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"


def test_stranger_is_nobody(anonymous):
    assert anonymous.get("/api/whoami-v2").status_code == 401


def test_good_card_is_valid():
    RepoCard("---\nlicense: mit\n---\n# Card").validate(repo_type="model")


def test_card_without_data_is_warned_about(raw):
    answer = raw.post("/api/validate-yaml", json={"content": "# Card", "repoType": "model"})
    assert answer.status_code == 200
    assert "empty or missing yaml" in answer.json()["warnings"][0]["message"]


def test_the_client_shows_what_is_wrong_with_a_card():
    with pytest.raises(ValueError, match="no id of a data set"):
        RepoCard("---\ndatasets: /tmp/data\n---\n").validate(repo_type="model")


@pytest.mark.parametrize(
    ("card", "kind", "said"),
    [
        ("---\ndatasets: ./data/my.csv\n---\n", "model", "no id of a data set"),
        ("---\ndatasets: [lab/ok, /tmp/data]\n---\n", "model", "no id of a data set"),
        ("---\nmodel-index: 3\n---\n", "model", "must be a list"),
        ("---\nmodel-index:\n- results: []\n---\n", "model", "needs a name"),
        ("---\ntitle: x\n---\n", "space", '"sdk" is required'),
        ("---\na: [\n---\n", "model", "cannot be read"),
    ],
)
def test_bad_card_is_refused_with_what_is_wrong(raw, card, kind, said):
    answer = raw.post("/api/validate-yaml", json={"content": card, "repoType": kind})
    assert answer.status_code == 400
    assert said in answer.json()["errors"][0]["message"]
