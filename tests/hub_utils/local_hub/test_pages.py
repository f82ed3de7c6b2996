"""The pages over HTTP, as a browser gets them."""

import io
import re

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import fresh_name, put
from .html_tags import Tags

CARD = b"""---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-classification
tags: [news]
datasets: [lab/not-here]
model-index:
- name: m
  results:
  - task: {type: text-classification}
    dataset: {name: Reuters R8, type: lab/reuters-r8}
    metrics: [{type: accuracy, value: 0.97831, name: Accuracy}]
---
# A model

![figure](figure.png)

<script>document.title = "taken over"</script><img src=x onerror="document.title='taken over'">
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def get(client, url, status=200, **options):
    answer = client.get(url, **options)
    assert answer.status_code == status, answer.text[:500]
    return answer


@pytest.fixture(scope="module")
def model(api):
    """A public model with two commits, a branch with a slash, a tag, a folder and odd files."""
    name = f"lab/{fresh_name('shown')}"
    api.create_repo(name)
    put(api, name, {"README.md": CARD, "figure.png": PNG}, message="First <b>publication</b>")
    api.create_tag(name, tag="v1.0")
    api.create_branch(name, branch="feat/x")
    files = {
        "src/app.py": b"def main():\n    print('<script>')\n",
        "long.txt": b"a line of text\n" * 30_000,
        "noise.dat": b"text\0and more",
        "README.md": CARD.replace(b"# A model", b"# A better model"),
    }
    put(api, name, files, message="Second")
    return name


@pytest.fixture(scope="module")
def data(api):
    """A public data set: Parquet with pictures, a second split as JSON Lines, a damaged file."""
    name = f"lab/{fresh_name('rows')}"
    api.create_repo(name, repo_type="dataset")
    out = io.BytesIO()
    columns = {"image": [{"bytes": PNG, "path": None}] * 20, "text": ["<i>word</i> " * 90] * 20}
    pq.write_table(pa.table(columns), out)
    files = {
        "README.md": b"---\nlicense: mit\n---\n# Rows",
        "data/train-00000.parquet": out.getvalue(),
        "data/test.jsonl": b'{"text": "from the test split"}\n',
        "odd/validation.parquet": b"PAR1 damaged",
    }
    put(api, name, files, repo_type="dataset")
    return name


@pytest.fixture(scope="module")
def hidden(api):
    """A private model."""
    name = f"lab/{fresh_name('hidden')}"
    api.create_repo(name, private=True)
    put(api, name, {"README.md": b"---\nlicense: mit\n---\n# Hidden card", "figure.png": PNG})
    return name


# -- front page and lists ------------------------------------------------------------------------


def test_front_page_links_what_is_published_and_how_to_reach_it(anonymous, model, data, hub_server):
    html = get(anonymous, "/").text
    assert f'href="/{model}"' in html
    assert f'href="/datasets/{data}"' in html
    assert f"export HF_ENDPOINT={hub_server.endpoint}" in html


def test_search_finds_by_part_of_the_name(anonymous, model):
    html = get(anonymous, "/models", params={"search": model.split("/")[1][:5]}).text
    assert f'href="/{model}"' in html
    none = get(anonymous, "/models", params={"search": "no<such>name"}).text
    assert "Nothing matches “no&lt;such&gt;name”." in none


def test_tag_filter_keeps_only_what_has_the_tag(anonymous, model, api):
    other = api.create_repo(f"lab/{fresh_name('other')}").repo_id
    html = get(anonymous, "/models", params={"filter": "news"}).text
    assert f'href="/{model}"' in html
    assert f'href="/{other}"' not in html


def test_long_lists_have_pages_that_show_everything_once(anonymous, api):
    prefix = fresh_name("paged")
    names = {api.create_repo(f"lab/{prefix}-{n:02}").repo_id for n in range(26)}
    url, seen = f"/models?search={prefix}&sort=id", []
    while url:
        html = get(anonymous, url).text
        seen += re.findall(rf'href="/(lab/{prefix}-\d+)"', html)
        following = re.search(r'href="([^"]+)">Next page', html)
        url = following[1].replace("&amp;", "&") if following else ""
    assert seen == sorted(names)


def test_search_reaches_the_other_kinds_too(anonymous, data):
    name = data.split("/")[1]
    html = get(anonymous, "/models", params={"search": name}).text
    assert re.search(rf'href="/datasets\?search={name}" class="dataset">.*<small>1</small>', html)


# -- a repository --------------------------------------------------------------------------------


def test_card_is_rendered_with_its_facts_figures_and_snippet(anonymous, model):
    html = get(anonymous, f"/{model}").text
    assert '<h1 id="card-a-better-model">A better model</h1>' in html
    assert f'src="/{model}/resolve/main/figure.png"' in html
    assert "apache-2.0" in html
    assert "0.9783" in html
    assert f"pipeline(&#34;text-classification&#34;, model=&#34;{model}&#34;)" in html


def test_hostile_card_is_shown_harmless(anonymous, model):
    answer = get(anonymous, f"/{model}")
    assert "<script" not in answer.text
    assert "onerror" not in answer.text
    assert "taken over" not in answer.text


def test_card_of_an_older_revision_is_shown_by_tag(anonymous, model):
    html = get(anonymous, f"/{model}", params={"revision": "v1.0"}).text
    assert ">A model</h1>" in html
    assert f'src="/{model}/resolve/v1.0/figure.png"' in html


def test_repository_without_a_card_says_so(anonymous, repo):
    assert "This repository has no card." in get(anonymous, f"/{repo}").text


def test_files_show_sizes_last_commits_and_folders_first(anonymous, model):
    html = get(anonymous, f"/{model}/tree/main").text
    assert "450 kB" in html
    assert "First &lt;b&gt;publication&lt;/b&gt;" in html
    assert html.index("blob/main/README.md") > html.index("tree/main/src")
    assert f"/{model}/blob/main/src/app.py" in get(anonymous, f"/{model}/tree/main/src").text


def test_text_file_is_shown_with_its_lines_escaped(anonymous, model):
    html = get(anonymous, f"/{model}/blob/main/src/app.py").text
    assert '<li id="L2">    print(&#39;&lt;script&gt;&#39;)</li>' in html


def test_long_file_is_cut_and_says_so(anonymous, model):
    answer = get(anonymous, f"/{model}/blob/main/long.txt")
    assert len(answer.content) < 400_000
    assert "Only the first" in answer.text


def test_binary_file_is_not_shown(anonymous, model):
    assert "it is not text" in get(anonymous, f"/{model}/blob/main/noise.dat").text


def test_picture_is_shown(anonymous, model):
    html = get(anonymous, f"/{model}/blob/main/figure.png").text
    assert f'<img src="/{model}/resolve/main/figure.png"' in html


def test_history_leads_to_each_revision(anonymous, model, api):
    html = get(anonymous, f"/{model}/commits/main").text
    for commit in api.list_repo_commits(model):
        assert f'href="/{model}/tree/{commit.commit_id}"' in html
    old = api.list_repo_commits(model)[1].commit_id
    assert "src" not in re.findall(
        r"/blob/\w+/([\w.]+)", get(anonymous, f"/{model}/tree/{old}").text
    )


def test_long_history_has_pages(anonymous, api, repo):
    for n in range(31):
        put(api, repo, {"n.txt": str(n).encode()}, message=f"change {n}.")
    first = get(anonymous, f"/{repo}/commits/main").text
    assert "change 30." in first
    assert "change 0." not in first
    older = re.search(r'href="([^"]+)">Older', first)[1]
    assert "change 0." in get(anonymous, older.replace("&amp;", "&")).text


def test_branches_with_a_slash_and_tags_can_be_chosen(anonymous, model):
    html = get(anonymous, f"/{model}/tree/main").text
    assert f'href="/{model}/tree/feat%2Fx"' in html
    assert f'href="/{model}/tree/v1.0"' in html
    branch = get(anonymous, f"/{model}/tree/feat%2Fx").text
    assert f'href="/{model}/blob/feat%2Fx/README.md"' in branch
    assert "A model" in get(anonymous, f"/{model}/blob/feat%2Fx/README.md").text


# -- data sets and Spaces ------------------------------------------------------------------------


def test_data_set_shows_first_rows_with_pictures_and_cut_text(anonymous, data):
    html = get(anonymous, f"/datasets/{data}").text
    assert "8 of 20 rows" in html
    assert html.count("data:image/png;base64,") == 8
    assert "&lt;i&gt;word&lt;/i&gt;" in html
    assert "…" in html
    assert "load_dataset" in html


def test_each_split_can_be_chosen(anonymous, data):
    html = get(anonymous, f"/datasets/{data}", params={"split": "test"}).text
    assert "from the test split" in html
    assert "1 of 1 rows" in html


def test_damaged_data_is_said_in_a_sentence(anonymous, data):
    html = get(anonymous, f"/datasets/{data}", params={"split": "validation"}).text
    assert "validation cannot be shown: it could not be read as its name says" in html
    blob = get(anonymous, f"/datasets/{data}/blob/main/odd/validation.parquet").text
    assert "cannot be shown" in blob


def test_space_shows_names_of_variables_and_never_a_secret(anonymous, raw, api):
    name = api.create_repo(
        f"lab/{fresh_name('space')}", repo_type="space", space_sdk="gradio"
    ).repo_id
    raw.post(f"/api/spaces/{name}/variables", json={"key": "LAB_MODE", "value": "quiet"})
    raw.post(f"/api/spaces/{name}/secrets", json={"key": "HF_TOKEN", "value": "s3cr3t"})
    html = get(anonymous, f"/spaces/{name}").text
    assert "NO_APP_FILE" in html
    assert "LAB_MODE" in html
    assert "HF_TOKEN" not in html
    mine = get(raw, f"/spaces/{name}").text
    assert "HF_TOKEN" in mine
    assert "s3cr3t" not in mine


# -- who may see what ----------------------------------------------------------------------------


PAGES_OF_A_REPO = ("", "/tree/main", "/blob/main/README.md", "/commits/main")


@pytest.mark.parametrize("page", PAGES_OF_A_REPO)
def test_private_repository_looks_missing_to_strangers(anonymous, hidden, page):
    hidden_page = get(anonymous, f"/{hidden}{page}", 404).text
    missing_page = get(anonymous, f"/lab/never-was{page}", 404).text
    assert "Hidden card" not in hidden_page
    assert hidden_page.replace(hidden, "ID") == missing_page.replace("lab/never-was", "ID")


def test_private_repository_is_in_no_list_for_strangers(anonymous, raw, hidden):
    for url in ("/", "/models", f"/models?search={hidden.split('/')[1]}"):
        assert hidden not in re.findall(r'href="/([^"]+)"', get(anonymous, url).text)
    assert f'href="/{hidden}"' in get(raw, "/").text


def test_signing_in_opens_private_repositories_and_their_pictures(hub_server, hidden):
    with httpx.Client(base_url=hub_server.endpoint) as browser:
        answer = browser.post("/login", data={"token": hub_server.token})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert hub_server.token not in answer.headers["set-cookie"]
        for page in PAGES_OF_A_REPO:
            assert hidden in get(browser, f"/{hidden}{page}").text
        assert get(browser, f"/{hidden}/resolve/main/figure.png").content == PNG
        assert browser.post("/logout").status_code == 303
        get(browser, f"/{hidden}", 404)


def test_wrong_token_opens_nothing_and_is_not_shown(anonymous, hidden):
    answer = anonymous.post("/login", data={"token": "hf_guess<b>"})
    assert answer.status_code == 403
    assert "not the Hub’s token" in answer.text
    assert "hf_guess" not in answer.text
    assert "lab_token" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("body", [b"", b"\xff" * 100, b"token=" + b"x" * 100_000])
def test_nonsense_sent_to_the_sign_in_form_is_refused(anonymous, body):
    assert anonymous.post("/login", content=body).status_code == 403


def test_cookie_is_for_reading_only(hub_server, hidden):
    with httpx.Client(base_url=hub_server.endpoint) as browser:
        browser.post("/login", data={"token": hub_server.token})
        answer = browser.post("/api/repos/create", json={"name": fresh_name("forged")})
        assert answer.status_code == 401


# -- every page ----------------------------------------------------------------------------------


def test_every_page_forbids_scripts_and_has_none(anonymous, model, data):
    urls = ["/", "/models", "/datasets", "/spaces", "/login", "/nowhere", f"/datasets/{data}"]
    urls += [f"/{model}{page}" for page in PAGES_OF_A_REPO]
    for url in urls:
        answer = anonymous.get(url)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        for tag, attributes in Tags(answer.text).found:
            assert tag not in ("script", "iframe", "object", "style", "base"), url
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
            address = attributes.get("src") or attributes.get("href") or attributes.get("action")
            assert not address or address.startswith(("/", "#", "data:image/")), url


def test_style_and_mark_are_served_and_nothing_else_of_the_folder(anonymous):
    assert get(anonymous, "/-/site.css").headers["content-type"].startswith("text/css")
    assert get(anonymous, "/-/mark.svg").headers["content-type"] == "image/svg+xml"
    for name in ("..%2Fpages.py", "%2Fetc%2Fpasswd", "base.html"):
        get(anonymous, f"/-/{name}", 404)


def test_language_follows_the_browser_until_it_is_chosen(hub_server, model):
    with httpx.Client(
        base_url=hub_server.endpoint, headers={"Accept-Language": "zh-CN,zh;q=0.9"}
    ) as browser:
        assert '<html lang="zh-CN">' in get(browser, f"/{model}").text
        assert '<html lang="en">' in get(browser, f"/{model}?lang=en").text
        assert '<html lang="en">' in get(browser, "/").text
        assert f'href="/{model}?lang=zh"' in get(browser, f"/{model}").text


def test_language_switch_keeps_the_query(anonymous):
    html = get(anonymous, "/models?search=a%26b&sort=id").text
    assert 'href="/models?search=a%26b&amp;sort=id&amp;lang=zh"' in html


def test_language_switch_keeps_encoded_names_and_never_leaves_the_site(anonymous, model):
    html = get(anonymous, f"/{model}/tree/feat%2Fx").text
    assert f'href="/{model}/tree/feat%2Fx?lang=zh"' in html
    odd = get(anonymous, f"{anonymous.base_url}//evil.example/x", 404).text
    for _tag, attributes in Tags(odd).found:
        assert not (attributes.get("href") or "").startswith("//")


@pytest.mark.parametrize("skip", ["-1", "x", "9" * 5000, "٣", "999999"])
def test_nonsense_in_a_query_is_survived(anonymous, model, skip):
    get(anonymous, f"/{model}/commits/main", params={"skip": skip})
    get(anonymous, "/models", params={"sort": skip, "filter": skip})


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("/tree/no<i>rev", "it has no revision “no&lt;i&gt;rev”"),
        ("/blob/main/no<i>file", "“no&lt;i&gt;file” is not in this revision"),
        ("/tree/main/nofolder", "“nofolder” is not in this revision"),
        ("/blob/main/src", "“src” is not in this revision"),
        ("/commits/nope", "it has no revision “nope”"),
        ("?revision=nope", "it has no revision “nope”"),
    ],
)
def test_missing_part_of_a_repository_is_named_and_leads_back(anonymous, model, page, words):
    html = get(anonymous, f"/{model}{page}", 404).text
    assert words in html
    assert f'<a href="/{model}">To the repository</a>' in html


@pytest.mark.parametrize("url", ["/nowhere", "/a/b/c/d", "/lab/..%2F..", "/lab/x.git", "/%00/%ff"])
def test_address_that_leads_nowhere_gets_a_friendly_page(anonymous, url):
    answer = anonymous.get(url)
    assert answer.status_code in (400, 404)
    assert "Nothing here" in answer.text


def test_unknown_api_address_still_answers_in_json(anonymous):
    assert "error" in get(anonymous, "/api/nonsense", 404).json()
