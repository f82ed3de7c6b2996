"""The environment is read in one place, and a bad value names itself and its fix."""

from pathlib import Path

import pytest

from hub_utils.errors import SettingsError
from hub_utils.settings import Settings


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.from_env({})
    assert settings == Settings()
    assert (settings.endpoint, settings.token, settings.namespace) == (None, None, None)
    assert (settings.hub_root, settings.port) == (Path(".lab/hub"), 7860)
    assert not settings.read_only


def test_every_variable_lands_in_its_field():
    settings = Settings.from_env(
        {
            "HF_ENDPOINT": "http://127.0.0.1:7861/",
            "HF_TOKEN": " hf_secret ",
            "HF_HOME": "/cache",
            "LAB_NAMESPACE": "ada",
            "LAB_HUB_ROOT": "/hub",
            "LAB_REVISIONS": "ada/one=v1, two=abc ,",
            "LAB_MODELS": "classify=ticket-router",
            "LAB_TABS": "classify, search,,classify",
            "LAB_PORT": "7870",
            "LAB_READ_ONLY": "yes",
            "LAB_SPACE_TOKEN": "hf_read",
            "LAB_SEARCH_STORE": "faiss-hnsw",
            "CHROMA_URL": "http://127.0.0.1:8000/",
            "LAB_AUTH": "ada:long:one, bo:other",
            "LAB_QUEUE": "8",
            "LAB_RATE_LIMIT": "30",
            "LAB_MAX_UPLOAD_MB": "5",
        }
    )
    assert settings.users == {"ada": "long:one", "bo": "other"}
    assert (settings.queue, settings.rate_limit, settings.max_upload_mb) == (8, 30, 5)
    assert (settings.search_store, settings.chroma_url) == ("faiss-hnsw", "http://127.0.0.1:8000")
    assert settings.endpoint == "http://127.0.0.1:7861"
    assert settings.token == "hf_secret"
    assert settings.space_token == "hf_read"
    assert (settings.hf_home, settings.hub_root) == (Path("/cache"), Path("/hub"))
    assert settings.namespace == "ada"
    assert settings.revisions == {"ada/one": "v1", "two": "abc"}
    assert settings.models == {"classify": "ticket-router"}
    assert settings.tabs == ("classify", "search")
    assert settings.port == 7870
    assert settings.read_only


def test_a_token_is_not_in_the_repr():
    settings = Settings.from_env(
        {"HF_TOKEN": "hf_secret", "LAB_SPACE_TOKEN": "hf_read", "LAB_AUTH": "ada:pass-of-ada"}
    )
    assert "pass-of-ada" not in repr(settings)
    assert "hf_secret" not in repr(settings)
    assert "hf_read" not in repr(settings)


def test_a_space_is_read_only_unless_it_says_otherwise():
    assert Settings.from_env({"SPACE_ID": "ada/lab"}).read_only
    assert Settings.from_env({"SPACE_ID": "ada/lab"}).in_space
    assert not Settings.from_env({"SPACE_ID": "ada/lab", "LAB_READ_ONLY": "0"}).read_only


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_ENDPOINT", "huggingface.co"),
        ("HF_ENDPOINT", "ftp://hub"),
        ("LAB_PORT", "eighty"),
        ("LAB_PORT", "70000"),
        ("LAB_PORT", "-1"),
        ("LAB_NAMESPACE", "a/b"),
        ("LAB_REVISIONS", "lab/model"),
        ("LAB_REVISIONS", "=main"),
        ("LAB_MODELS", "classify="),
        ("LAB_MODELS", "classify=../etc"),
        ("LAB_READ_ONLY", "maybe"),
        ("LAB_SEARCH_STORE", "pinecone"),
        ("CHROMA_URL", "127.0.0.1:8000"),
    ],
)
def test_a_bad_value_names_the_variable_the_value_and_the_fix(name, value):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: value})
    assert name in str(caught.value)
    assert value.strip("=") in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["HF_TOKEN", "LAB_SPACE_TOKEN"])
def test_a_broken_token_is_refused_without_being_shown(name):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: "hf_one hf_two"})
    assert name in caught.value.line()
    assert "hf_one" not in caught.value.line()


@pytest.mark.parametrize("name", ["HF_ENDPOINT", "CHROMA_URL"])
def test_a_password_in_an_address_is_refused_without_being_shown(name):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: "http://lab:hunter2@127.0.0.1"})
    assert "hunter2" not in caught.value.line()


def test_a_misspelt_variable_gets_the_near_name():
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"LAB_PROT": "7870"})
    assert "LAB_PORT" in caught.value.hint


def test_variables_that_are_not_ours_are_left_alone():
    assert Settings.from_env({"LABEL": "x", "LAB_TEST_TOKEN": "x", "LAB_BENCH": "x"}) == Settings()


def test_the_table_has_every_variable_that_is_read():
    asked = []

    class Spy(dict):
        def get(self, key, default=None):
            asked.append(key)
            return super().get(key, default)

    Settings.from_env(Spy())
    named = {name for name, _, _ in Settings.table()}
    assert named == set(asked) - {"SPACE_ID", "GRADIO_SERVER_PORT"}


def test_users_can_stand_in_a_file_one_a_line(tmp_path):
    file = tmp_path / "users.txt"
    file.write_text("# of the lab\nada:one, with a comma\n\nbo:two\n", "utf-8")
    users = Settings.from_env({"LAB_AUTH": str(file)}).users
    assert users == {"ada": "one, with a comma", "bo": "two"}


@pytest.mark.parametrize("value", ["ada:", ":secret", "ada:secret,bo", "ada:secret,ada:s2"])
def test_a_wrong_user_is_a_sentence_without_any_password(value):
    with pytest.raises(SettingsError, match="LAB_AUTH: entry") as caught:
        Settings.from_env({"LAB_AUTH": value})
    assert "secret" not in caught.value.line()


def test_a_file_of_users_that_is_not_there_or_empty_lets_nobody_start(tmp_path):
    with pytest.raises(SettingsError, match="neither name:password nor a file"):
        Settings.from_env({"LAB_AUTH": str(tmp_path / "none.txt")})
    (tmp_path / "empty.txt").write_text("# nobody yet\n", "utf-8")
    with pytest.raises(SettingsError, match="names nobody"):
        Settings.from_env({"LAB_AUTH": str(tmp_path / "empty.txt")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAB_QUEUE", "0"),
        ("LAB_QUEUE", "-1"),
        ("LAB_RATE_LIMIT", "ten"),
        ("LAB_MAX_UPLOAD_MB", "1e3"),
    ],
)
def test_a_wrong_limit_names_itself_and_what_may_be_used(name, value):
    with pytest.raises(SettingsError, match=f"{name}='{value}'") as caught:
        Settings.from_env({name: value})
    assert "whole number from" in caught.value.hint
