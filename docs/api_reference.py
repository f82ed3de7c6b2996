"""The generated parts of docs/api.md, from the page's own endpoints.

Run: python docs/regenerate.py

Names, types, defaults and meanings come from the page as Gradio describes it; the table below adds
one example an endpoint and what comes back. The examples are written out four times from the same
arguments, so none can drift from another; a test runs them against a page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ADDRESS = "http://127.0.0.1:7860"
TEXTS, PICTURE = "texts.csv", "picture.png"
MIME = {TEXTS: "text/csv", PICTURE: "image/png"}
FILES = f"""
printf 'text\\nWheat exports fell sharply.\\nThe bank raised its rates.\\n' > {TEXTS}
python3 -c 'from PIL import Image; Image.new("RGB", (64, 64), "red").save("{PICTURE}")'
"""


@dataclass(frozen=True)
class Example:
    """One call of an endpoint and what it gives."""

    arguments: dict[str, Any]  # a name in MIME stands for that file
    returns: str
    show: str = "answer"  # Python that is printed
    since: str = "0.1.0"
    streams: bool = False
    after: dict[str, str] = field(default_factory=dict)


EXAMPLES: dict[str, Example] = {
    "/classify": Example(
        {"text": "Wheat exports fell sharply after the drought."},
        'An object: `label`, the most probable one, and `confidences`, a list of `{"label", '
        '"confidence"}`, the most probable first.',
        show='answer["label"]',
    ),
    "/classify_batch": Example(
        {"file": TEXTS},
        "A CSV file with the columns text, label and confidence. `gradio_client` downloads it and "
        "gives its path; the others give its `url`.",
        show="open(answer).read()",
    ),
    "/generate": Example(
        {"prompt": "Once upon a time", "max_new_tokens": 40, "temperature": 0.8, "seed": 1},
        "The continuation so far, each time longer, without the prompt; the last one is whole.",
        streams=True,
    ),
    "/search": Example(
        {"query": "how much would a station on the moon cost", "k": 3, "mode": "hybrid"},
        "A list of passages, the best first: `id`, `document` (the id of its document), `title`, "
        "`text`, `score` and `metadata`, an object with the data's own columns.",
        show='[hit["id"] for hit in answer]',
    ),
    "/match": Example(
        {"image": PICTURE, "texts": "a red square\na green tree"},
        'An object as of `/classify`: `label`, the text that fits best, and `confidences`. The '
        "probabilities sum to 1 over the texts that were given.",
        show='answer["confidences"]',
    ),
    "/find_image": Example(
        {"text": "something sweet to eat", "k": 3},
        'A list of `{"image", "caption"}`, the best first; a caption begins with the cosine. '
        "`gradio_client` downloads the pictures and gives paths; the others give a `url` each.",
        show='[found["caption"] for found in answer]',
    ),
    "/paint": Example(
        {"prompt": "tomato", "steps": 8, "seed": 7},
        "A PNG file: a preview after every step to those who follow the stream, the picture at the "
        "end. `gradio_client` downloads it and gives its path; the others give its `url`.",
    ),
}  # fmt: skip


def parts() -> dict[str, str]:
    """The generated parts of docs/api.md by name, as the page is now."""
    endpoints = described()
    if endpoints.keys() != EXAMPLES.keys():
        raise ValueError(
            f"The page offers {sorted(endpoints)}, docs/api_reference.py has examples of "
            f"{sorted(EXAMPLES)}: bring the two together."
        )
    rows = [
        f"| [`{name}`](#{name.strip('/')}) | {endpoints[name]['does']} | {example.since} |"
        for name, example in EXAMPLES.items()
    ]
    head = ["| endpoint and MCP tool | what it does | since |", "|---|---|---|"]
    sections = [_section(name, endpoints[name], EXAMPLES[name]) for name in EXAMPLES]
    return {
        "table": "\n".join([*head, *rows]) + "\n",
        "files": _fenced("bash", FILES) + "\n",
        "endpoints": "\n" + "\n".join(sections) + "\n",
    }


def described() -> dict[str, dict[str, Any]]:
    """Every public endpoint of the page: what it does and its parameters with their meaning."""
    from gradio.utils import get_function_description

    from hub_utils.connection import Hub
    from hub_utils.settings import Settings
    from tabs.page import build_page
    from tabs.services import Services

    nobody = Hub("http://127.0.0.1:9", None, namespace="lab", embedded=False, cache=Path("unused"))
    page = build_page(Services(Settings(), nobody))
    handlers = {f"/{block.api_name}": block.fn for block in page.fns.values()}
    found = {}
    for name, endpoint in page.get_api_info()["named_endpoints"].items():
        does, meanings, _ = get_function_description(handlers[name])
        found[name] = {
            "does": does,
            "parameters": [
                {**parameter, "meaning": meanings[parameter["parameter_name"]]}
                for parameter in endpoint["parameters"]
            ],
        }
    return found


def _section(name: str, endpoint: dict[str, Any], example: Example) -> str:
    rows = [_row(parameter) for parameter in endpoint["parameters"]]
    parts = [
        f"## {name.strip('/')}",
        f"`{name}`: {endpoint['does']}",
        "\n".join(["| parameter | type | default | meaning |", "|---|---|---|---|", *rows]),
        f"**Gives:** {example.returns}",
        _fenced("python", _in_python(name, example)),
        _fenced("bash", _in_shell(name, example)),
        _fenced("javascript", _in_javascript(name, example)),
        "By MCP, as JSON-RPC:",
        _fenced("bash", _by_mcp(name, example)),
    ]
    return "\n\n".join(parts) + "\n"


def _row(parameter: dict[str, Any]) -> str:
    default = "needed"
    if parameter["parameter_has_default"]:
        default = f"`{json.dumps(parameter['parameter_default'])}`"
    type_name = parameter["python_type"]["type"].replace("filepath", "file")
    return f"| `{parameter['parameter_name']}` | {type_name} | {default} | {parameter['meaning']} |"


def _fenced(language: str, code: str) -> str:
    return f"```{language}\n{code.strip()}\n```"


def _in_python(name: str, example: Example) -> str:
    files = any(_is_file(value) for value in example.arguments.values())
    arguments = ", ".join(f"{key}={_python(value)}" for key, value in example.arguments.items())
    lines = [
        f"from gradio_client import Client{', handle_file' if files else ''}",
        "",
        f'page = Client("{ADDRESS}")',
    ]
    if example.streams:
        call = _broken("for answer in page.submit(", arguments, f'api_name="{name}"', "):")
        return "\n".join([*lines, *call, f"    print({example.show})"])
    call = _broken("answer = page.predict(", arguments, f'api_name="{name}"', ")")
    return "\n".join([*lines, *call, f"print({example.show})"])


def _broken(head: str, arguments: str, name: str, tail: str) -> list[str]:
    """A call on one line, or on three where it is long."""
    whole = f"{head}{arguments}, {name}{tail}"
    return [whole] if len(whole) <= 100 else [head, f"    {arguments}, {name}", tail]


def _in_shell(name: str, example: Example) -> str:
    lines, places = [f"PAGE={ADDRESS}"], {}
    for key, value in example.arguments.items():
        if _is_file(value):
            upload = f"$(curl -s $PAGE/gradio_api/upload -F files=@{value} | cut -d'\"' -f2)"
            lines.append(f"SENT={upload}")
            data = {"path": "$SENT", "meta": {"_type": "gradio.FileData"}}
            places[key] = data
        else:
            places[key] = value
    return "\n".join(
        [
            *lines,
            f"EVENT=$(curl -s $PAGE/gradio_api/call/v2{name} \\",
            f"  --json {_quoted(places)} | cut -d'\"' -f4)",
            f"curl -sN $PAGE/gradio_api/call/v2{name}/$EVENT",
        ]
    )


def _in_javascript(name: str, example: Example) -> str:
    arguments = ", ".join(
        f"{key}: {_javascript(value)}" for key, value in example.arguments.items()
    )
    lines = ['import { Client } from "@gradio/client";']
    if any(_is_file(value) for value in example.arguments.values()):
        lines.append('import { readFile } from "node:fs/promises";')
    lines += ["", f'const page = await Client.connect("{ADDRESS}");']
    if example.streams:
        lines += [
            f'for await (const message of page.submit("{name}", {{ {arguments} }})) {{',
            '  if (message.type === "data") console.log(message.data[0]);',
            "}",
        ]
    else:
        lines += [
            f'const answer = await page.predict("{name}", {{ {arguments} }});',
            "console.log(answer.data[0]);",
        ]
    return "\n".join([*lines, "process.exit();"])


def _by_mcp(name: str, example: Example) -> str:
    lines, places = [], {}
    for key, value in example.arguments.items():
        places[key] = value
        if _is_file(value):
            lines.append(f"DATA=$(base64 < {value} | tr -d '\\n')")
            places[key] = f"data:{MIME[value]};base64,$DATA"
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name.strip("/"), "arguments": places},
    }
    return "\n".join(
        [
            *lines,
            f"curl -sN {ADDRESS}/gradio_api/mcp/ \\",
            "  -H 'Accept: application/json, text/event-stream' \\",
            f"  --json {_quoted(message)}",
        ]
    )


def _quoted(value: object) -> str:
    """JSON in single quotes for a shell, with its $NAMES outside of them."""
    text = json.dumps(value).replace("'", "'\\''")
    for name in ("$SENT", "$DATA"):
        text = text.replace(name, f"'{name}'")
    return f"'{text}'"


def _is_file(value: object) -> bool:
    return isinstance(value, str) and value in MIME


def _python(value: object) -> str:
    if _is_file(value):
        return f'handle_file("{value}")'
    # JSON and Python write these values alike.
    return json.dumps(value)


def _javascript(value: object) -> str:
    return (
        f'new File([await readFile("{value}")], "{value}")'
        if _is_file(value)
        else json.dumps(value)
    )
