"""Train on Hugging Face Jobs: `python -m training RECIPE … --on jobs`.

The same command runs in a container there. What it needs of this project travels as a private data
set, `llm-core-lab-source`, which the job mounts read-only at the commit that was just pushed: no
image to build, no git server to trust. The job installs requirements.txt, trains, and publishes
with the token that it gets as a secret. `--dry-run` shows the call and does nothing.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import LabError, SettingsError
from hub_utils.names import RepoId
from training.shared.cli import flag, is_path, job_options

if TYPE_CHECKING:
    from hub_utils.connection import Hub

PROJECT = Path(__file__).parents[1]
SOURCE_REPO = "llm-core-lab-source"
# What a training needs of the project, by pattern.
SOURCE = ("training/**/*.py", "hub_utils/*.py", "requirements.txt", "constraints.txt", "LICENSE")
MOUNT = "/lab"
# A list for bash, so that no argument is ever quoted twice.
SCRIPT = (
    f"pip install --quiet -r {MOUNT}/requirements.txt -c {MOUNT}/constraints.txt "
    '&& cd "$(mktemp -d)" && exec python -m training "$@"'
)
DEFAULT_FLAVOR, DEFAULT_TIMEOUT = "cpu-upgrade", "1h"
_TIMEOUT = re.compile(r"\d+(\.\d+)?[smhd]?")
_CARD = """---
license: apache-2.0
---

The source of LLM Core Lab as a training job mounts it, by `python -m training RECIPE --on jobs`.
"""


@dataclass(frozen=True)
class Job:
    """A call of the Hub's `run_job`. Values of secrets are not in it."""

    namespace: str
    source: RepoId
    image: str
    command: tuple[str, ...]
    flavor: str
    timeout: str
    env: Mapping[str, str]
    secrets: tuple[str, ...]  # names

    def as_dict(self) -> dict[str, Any]:
        """The call for people and programs: of variables and secrets only the names."""
        return {
            "namespace": self.namespace,
            "image": self.image,
            "command": list(self.command),
            "flavor": self.flavor,
            "timeout": self.timeout,
            "env": sorted(self.env),
            "secrets": list(self.secrets),
            "volumes": [f"hf://{self.source.path}:{MOUNT}:ro"],
        }


def submit(args: argparse.Namespace, words: Sequence[str]) -> Mapping[str, Any]:
    """Submit the command `words` as a job, or with --dry-run say what would be submitted.

    Raises SettingsError for what a job could not do.
    """
    from hub_utils.connection import connect
    from hub_utils.settings import Settings

    hub = connect(Settings.from_env())
    job = plan_job(args, words, hub=hub)
    if args.dry_run:
        return {"dry_run": True, **job.as_dict()}
    return run_job(job, hub=hub)


def plan_job(args: argparse.Namespace, words: Sequence[str], *, hub: Hub) -> Job:
    """The call that runs `python -m training` with `words` elsewhere. Looks at no Hub."""
    _refuse_local_files(args)
    if not hub.token:
        raise SettingsError("A job needs a token to publish with.", hint="Set HF_TOKEN.")
    return Job(
        namespace=hub.namespace,
        source=hub.repo(SOURCE_REPO, "dataset"),
        image=f"python:{sys.version_info.major}.{sys.version_info.minor}",
        command=("bash", "-c", SCRIPT, "training", *without_job_options(words)),
        flavor=_flavor(args.flavor),
        timeout=_timeout(args.timeout),
        env={"PYTHONPATH": MOUNT, "LAB_NAMESPACE": hub.namespace},
        secrets=("HF_TOKEN",),
    )


def run_job(job: Job, *, hub: Hub) -> Mapping[str, Any]:
    """Bring the source up to date on the Hub and submit the job."""
    from huggingface_hub import Volume

    from hub_utils.explain import explained
    from hub_utils.push import push_folder

    with tempfile.TemporaryDirectory() as folder:
        copy_source(Path(folder))
        pushed = push_folder(
            Path(folder), job.source, hub=hub, message="Source of a training job", private=True
        )
    mount = Volume(
        type="dataset", source=str(job.source), mount_path=MOUNT, revision=pushed.revision
    )
    with explained(hub, job.source):
        info = hub.api.run_job(
            image=job.image,
            command=list(job.command),
            env=dict(job.env),
            secrets={"HF_TOKEN": hub.token},
            flavor=job.flavor,
            timeout=job.timeout,
            volumes=[mount],
            namespace=job.namespace,
        )
    stage = str(getattr(info.status.stage, "value", info.status.stage))
    return {
        "job": info.id,
        "url": info.url,
        "stage": stage,
        "message": info.status.message,
        "source": str(job.source),
        "source_revision": pushed.revision,
    }


def copy_source(folder: Path) -> None:
    """Write what a training needs of the project, and a card, into an empty folder."""
    paths = {path for pattern in SOURCE for path in PROJECT.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        target = folder / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "README.md").write_text(_CARD, "utf-8")


def without_job_options(words: Sequence[str]) -> list[str]:
    """A command without what says where it is to run."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    job_options(parser)
    return parser.parse_known_args(list(words))[1]


def _refuse_local_files(args: argparse.Namespace) -> None:
    for name, value in vars(args).items():
        if is_path(value):
            raise SettingsError(
                f"{flag(name)} {value} is on this machine, where a job cannot read it.",
                hint="Publish it first, as in: python -m hub_utils push FOLDER NAME "
                "--type dataset; then give its Hub id.",
            )
    if getattr(args, "resume", False) or not getattr(args, "push", True):
        raise SettingsError(
            "A job starts with an empty disk and keeps nothing but what it publishes.",
            hint="Leave out --resume and --no-push.",
        )


def _flavor(name: str | None) -> str:
    from huggingface_hub import JobHardware

    name = name or DEFAULT_FLAVOR
    known = [flavor.value for flavor in JobHardware]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or known
        raise SettingsError(
            f"--flavor {name} is no hardware of Jobs.", hint=f"Try {', '.join(near)}."
        )
    return name


def _timeout(text: str | None) -> str:
    text = text or DEFAULT_TIMEOUT
    if not _TIMEOUT.fullmatch(text):
        raise SettingsError(f"--timeout {text} is no duration.", hint="Write 90m, 2h or seconds.")
    return text


def refuse_stray_options(args: argparse.Namespace) -> None:
    """Options of a job make no sense for a training here. Raises LabError naming the first."""
    for name in ("flavor", "timeout", "dry_run"):
        if getattr(args, name, None):
            raise LabError(f"{flag(name)} is for a job.", hint="Add --on jobs, or leave it out.")
