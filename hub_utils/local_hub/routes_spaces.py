"""A Space's variables, secrets and runtime: what is asked for here, `space_runner` does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from starlette.responses import Response

from .call import Call
from .errors import BadRequest
from .paths import shown
from .records import RepoKey
from .repo_settings import RepoSettings, SpaceSettings
from .shapes import json_response, moment, runtime_shape

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HARDWARE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_VALUE = 64_000


def variables(call: Call) -> Response:
    """GET, POST, DELETE /api/spaces/ID/variables."""
    return _pairs(call, "variables")


def secrets(call: Call) -> Response:
    """GET, POST, DELETE /api/spaces/ID/secrets: a value goes in and never comes out."""
    return _pairs(call, "secrets")


def runtime(call: Call) -> Response:
    """GET /api/spaces/ID/runtime."""
    return _runtime(call, call.readable().key)


def pause(call: Call) -> Response:
    """POST /api/spaces/ID/pause."""
    answer = _change(call, lambda space: replace(space, paused=True))
    call.state.spaces.stop(call.key)
    return answer


def restart(call: Call) -> Response:
    """POST /api/spaces/ID/restart: on this Hub also what makes a Space run at all."""
    key = call.writable()
    settings = call.state.store.settings(key)
    if settings.sdk == "static":
        raise BadRequest("A static Space is always running; make it private to hide it.")
    call.state.store.update_settings(
        key, lambda now: replace(now, space=replace(now.space, paused=False))
    )
    call.state.spaces.run(key, endpoint=call.endpoint, anew=call.flag("factory"))
    return _runtime(call, key)


def sleep_time(call: Call) -> Response:
    """POST /api/spaces/ID/sleeptime; -1 means never."""
    seconds = _seconds(call.json().get("seconds"))
    return _change(call, lambda space: replace(space, sleep_seconds=seconds))


def hardware(call: Call) -> Response:
    """POST /api/spaces/ID/hardware."""
    body = call.json()
    return _change(call, lambda space: _with_hardware(space, body, "flavor"))


def list_hardware(call: Call) -> Response:  # noqa: ARG001 - every handler has this shape
    """GET /api/spaces/hardware: what the embedded Hub pretends to have."""
    cpu = {
        "name": "cpu-basic", "prettyName": "CPU Basic", "cpu": "2 vCPU", "ram": "16 GB",
        "ephemeralStorage": "50 GB",
        "accelerator": None, "unitCostMicroUSD": 0, "unitCostUSD": 0.0, "unitLabel": "minute",
    }  # fmt: skip
    return json_response([cpu])


def space_settings(
    body: Mapping[str, Any],
    before: SpaceSettings = SpaceSettings(),  # noqa: B008 - frozen
) -> SpaceSettings:
    """A new Space's settings from the body that creates it; of a copy, on top of its source's."""
    pairs: dict[str, Any] = {
        kind: {
            _name(item): _stored(kind, item)
            for item in body.get(kind) or []
            if isinstance(item, dict)
        }
        for kind in ("variables", "secrets")
        if body.get(kind)
    }
    return _with_hardware(replace(before, **pairs), body, "hardware")


def keep_secrets(call: Call, key: RepoKey, body: Mapping[str, Any]) -> None:
    """Remember the values of the secrets in the body that creates a Space."""
    for item in body.get("secrets") or []:
        if isinstance(item, dict):
            call.state.spaces.keep_secret(key, _name(item), item.get("value"))


def host(call: Call) -> Response:
    """GET /api/spaces/ID/host: where its app answers, or its page while there is none."""
    return json_response({"host": app_url(call, call.readable().key)})


def app_url(call: Call, key: RepoKey) -> str:
    """The address of a Space's app; that of its page while it does not run."""
    facts = call.state.spaces.facts(key)
    return facts.url if facts and facts.url else f"{call.endpoint}/{key.url_path}"


def _pairs(call: Call, kind: str) -> Response:
    key = call.writable()  # names alone say too much to strangers
    if call.request.method != "GET":
        item = call.json()
        name = _name(item)

        def change(now: RepoSettings) -> RepoSettings:
            pairs = dict(getattr(now.space, kind))
            if call.request.method == "DELETE":
                pairs.pop(name, None)
            else:
                pairs[name] = _stored(kind, item)
            changed: dict[str, Any] = {kind: pairs}
            return replace(now, space=replace(now.space, **changed))

        call.state.store.update_settings(key, change)
        if kind == "secrets":
            call.state.spaces.keep_secret(key, name, item.get("value"))
        call.state.spaces.changed(key, endpoint=call.endpoint)
    return json_response(getattr(call.state.store.settings(key).space, kind))


def _change(call: Call, change: Callable[[SpaceSettings], SpaceSettings]) -> Response:
    key = call.writable()
    call.state.store.update_settings(key, lambda now: replace(now, space=change(now.space)))
    return _runtime(call, key)


def _runtime(call: Call, key: RepoKey) -> Response:
    names = [entry.path for entry in call.state.store.tree(key, "main")]
    store, facts = call.state.store, call.state.spaces.facts(key)
    return json_response(runtime_shape(store.get_repo(key), store.settings(key), names, facts))


def _stored(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    value, description = item.get("value"), item.get("description")
    if not isinstance(value, str) or len(value) > MAX_VALUE:
        raise BadRequest(
            f"The value of {_name(item)} must be text of at most {MAX_VALUE:,} letters."
        )
    kept = {
        "key": _name(item),
        "description": description,
        "updatedAt": moment(datetime.now(timezone.utc)),
    }
    return kept if kind == "secrets" else kept | {"value": value}


def _name(item: Mapping[str, Any]) -> str:
    name = item.get("key")
    if not isinstance(name, str) or not _KEY.fullmatch(name):
        raise BadRequest(f"{shown(str(name))} is no valid name of a variable or secret.")
    return name


def _with_hardware(space: SpaceSettings, body: Mapping[str, Any], name: str) -> SpaceSettings:
    flavor = body.get(name, space.hardware)
    if not isinstance(flavor, str) or not _HARDWARE.fullmatch(flavor):
        raise BadRequest(f"{shown(str(flavor))} is no hardware.")
    seconds = space.sleep_seconds
    if "sleepTimeSeconds" in body:
        seconds = _seconds(body["sleepTimeSeconds"])
    return replace(space, hardware=flavor, sleep_seconds=seconds)


def _seconds(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value < 2**31:
        raise BadRequest(f"{shown(str(value))} is no number of seconds.")
    return None if value < 0 else value
