"""Who am I, and is this card's YAML right."""

from __future__ import annotations

from starlette.responses import Response

from .call import Call
from .card_facts import parse_card
from .errors import Unauthorized
from .records import REPO_TYPES
from .shapes import json_response


def whoami(call: Call) -> Response:
    """GET /api/whoami-v2."""
    if not call.caller.owner:
        raise Unauthorized("Invalid username or password.")
    user = call.state.user
    return json_response(
        {
            "type": "user",
            "id": f"user:{user}",
            "name": user,
            "fullname": user,
            "email": None,
            "emailVerified": True,
            "isPro": False,
            "canPay": False,
            "avatarUrl": "",
            "orgs": [],
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": "embedded Hub", "role": "write"},
            },
        }
    )


def user_overview(call: Call) -> Response:
    """GET /api/users/NAME/overview."""
    name = call.param("user")
    return json_response({"user": name, "fullname": name, "avatarUrl": "", "isPro": False})


def validate_yaml(call: Call) -> Response:
    """POST /api/validate-yaml: what is wrong, and what is merely missing, in a card."""
    body = call.json()
    content, kind = str(body.get("content") or ""), str(body.get("repoType") or "model")
    card, problem = parse_card(content)
    errors = [problem] if problem else []
    if kind not in REPO_TYPES:
        errors.append(f'"repoType" must be one of {", ".join(REPO_TYPES)}.')
    errors += _local_datasets(card.get("datasets")) + _bad_index(card.get("model-index"))
    if kind == "space" and card and not isinstance(card.get("sdk"), str):
        errors.append('"sdk" is required in the card of a Space.')
    warnings = [] if card or errors else ["empty or missing yaml metadata in repo card"]
    shape = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    return json_response(shape, status=400 if errors else 200)


def _local_datasets(datasets: object) -> list[str]:
    names = datasets if isinstance(datasets, list) else [datasets]
    bad = [
        n for n in names if isinstance(n, str) and (n.count("/") > 1 or n[:1] in ("/", ".", "~"))
    ]
    return [f'"datasets" names {name!r}, which is no id of a data set on the Hub.' for name in bad]


def _bad_index(index: object) -> list[str]:
    if index is None:
        return []
    if not isinstance(index, list) or not all(isinstance(model, dict) for model in index):
        return ['"model-index" must be a list of models with their results.']
    return [] if all("name" in m for m in index) else ['"model-index" needs a name for each model.']
