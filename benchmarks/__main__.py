"""Run the benchmarks and write docs/benchmarks.md.  Run: python -m benchmarks [NAME …]

Each benchmark is a module that compares side by side in one run, prints a Markdown table and,
as its last line of stdout, one JSON object of figures. A name runs only that one and replaces
only its section of the page.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.machine import describe_machine, describe_versions

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Every table compares within one run on one machine, so read the ratios first. `make bench` measures
all of it again and writes this page; `python -m benchmarks NAME` renews one section.
"""


@dataclass(frozen=True)
class Benchmark:
    """A module under benchmarks/ and what its section of the page is called."""

    module: str
    title: str


BENCHMARKS = {
    "page": Benchmark("benchmarks.page_start", "Time to a ready page"),
    "load": Benchmark("benchmarks.load", "The page with 50 clients at once"),
    "starvation": Benchmark("benchmarks.starvation", "A fast tab beside slow ones"),
    "batching": Benchmark("benchmarks.batching", "Questions of many users, answered together"),
    "hub": Benchmark("benchmarks.hub_throughput", "The embedded Hub: listing, trees, transfers"),
    "classifier-speed": Benchmark("benchmarks.classifier_speed", "Classifier: texts per second"),
    "classifier-quality": Benchmark("benchmarks.classifier_quality", "Classifier: accuracy"),
    "gpt-speed": Benchmark("benchmarks.gpt_speed", "Language model: tokens per second"),
    "gpt-quality": Benchmark("benchmarks.gpt_quality", "Mini-GPT: loss after 89 seconds"),
    "gpt-ablations": Benchmark("benchmarks.gpt_ablations", "Mini-GPT: what each part is worth"),
    "index-speed": Benchmark("benchmarks.index_speed", "Semantic search: passages embedded"),
    "index-quality": Benchmark("benchmarks.index_quality", "Semantic search: what it finds"),
    "index-search": Benchmark("benchmarks.index_search", "Semantic search: stores and queries"),
    "index-rebuild": Benchmark("benchmarks.index_rebuild", "Semantic search: building again"),
    "clip-quality": Benchmark("benchmarks.clip_quality", "CLIP: recall on unseen pictures"),
    "diffusion-quality": Benchmark("benchmarks.diffusion_quality", "Diffusion: prompt accuracy"),
    "pictures-speed": Benchmark("benchmarks.pictures_speed", "Match and Paint: time to answer"),
    "export-speed": Benchmark("benchmarks.export_speed", "ONNX files beside what serves"),
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 2 when a name is unknown."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark named {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
        return 2
    sections = read_sections(PAGE.read_text("utf-8") if PAGE.exists() else "")
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        sections[BENCHMARKS[name].title] = run_section(BENCHMARKS[name])
    known = [b.title for b in BENCHMARKS.values() if b.title in sections]
    order = [*known, *(title for title in sections if title not in known)]  # timed by hand
    PAGE.write_text(HEAD + "".join(f"\n## {title}\n{sections[title]}" for title in order), "utf-8")
    return 0


def run_section(benchmark: Benchmark) -> str:
    """Run one benchmark in its own process and return its section, ready for the page."""
    command = [sys.executable, "-m", benchmark.module]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    *table, last = done.stdout.strip().splitlines()
    json.loads(last)  # the contract of a benchmark: figures for programs on the last line
    print("\n".join([*table, last]))
    machine = f"{describe_machine()}; {describe_versions()}"
    facts = f"`python -m {benchmark.module}`, {date.today()}, {machine}."
    return f"\n{facts}\n\n" + "\n".join(table).strip() + "\n"


def read_sections(page: str) -> dict[str, str]:
    """Title → body of the sections already on the page."""
    parts = re.split(r"^## (.+)\n", page, flags=re.M)
    return dict(zip(parts[1::2], (body.rstrip("\n") + "\n" for body in parts[2::2]), strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
