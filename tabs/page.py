"""The page: header, the tabs of the registry, and how it is launched."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import Any

import gradio as gr

from hub_utils.errors import LabError
from tabs.gate import Gate
from tabs.i18n import translations
from tabs.language import LanguageMiddleware
from tabs.queue import LabQueue
from tabs.rate_limit import RateLimit
from tabs.services import Services
from tabs.sessions import LabSessions
from tabs.telemetry import log_calls
from tabs.theme import STYLE, lab_theme
from tabs.widgets import text

SESSIONS = (
    512  # whose choices are kept; a program's every call is one, an open page stays the newest
)
CLEAN_EVERY_S, KEEP_FILES_S = 600, 3_600  # uploads, and pictures that were made for somebody

# A pine seal with five dots in a ring: the five models around one loop.
SEAL = (
    '<svg class="lab-seal" viewBox="0 0 42 42" aria-hidden="true">'
    '<rect width="42" height="42" rx="9" fill="#22564e"/>'
    '<circle cx="21" cy="21" r="10.5" fill="none" stroke="#b3d7ce" stroke-width="1.6"/>'
    '<g fill="#faf9f6"><circle cx="21" cy="10.5" r="3"/><circle cx="31" cy="17.8" r="3"/>'
    '<circle cx="27.2" cy="29.5" r="3"/><circle cx="14.8" cy="29.5" r="3"/>'
    '<circle cx="11" cy="17.8" r="3"/></g></svg>'
)
HEADER = (
    '<div class="lab-header">{seal}<div class="lab-title"><h1 class="lab-name">{title}</h1>'
    '<p class="lab-tagline">{tagline}</p></div><nav class="lab-tools" aria-label="{language}">'
    '<a href="?lang=en" hreflang="en" lang="en">English</a>'
    '<a href="?lang=zh" hreflang="zh" lang="zh">中文</a>'
    '<button type="button" class="lab-theme" aria-label="{theme}" title="{theme}">◐</button>'
    "</nav></div>"
)
# The choice of light or dark is kept in this browser; Gradio reads it from the address.
HEAD = """<script>
(() => {
  const kept = localStorage.getItem("lab-theme"), here = new URL(location);
  if (kept && !here.searchParams.has("__theme")) {
    here.searchParams.set("__theme", kept);
    history.replaceState(null, "", here);
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.(".lab-theme")) return;
    const dark = document.body.classList.toggle("dark");
    localStorage.setItem("lab-theme", dark ? "dark" : "light");
  });
})();
</script><meta name="color-scheme" content="light dark">"""


# Gradio gives the icon of an empty field a name, but not the role that lets a screen reader say it.
ROLES = """<script>
new MutationObserver(() => {
  for (const icon of document.querySelectorAll('div[aria-label="Empty value"]:not([role])'))
    icon.role = "img";
}).observe(document, {childList: true, subtree: true});
</script>"""


class LabPage(gr.Blocks):  # type: ignore[misc]
    """Blocks that know their services and how they want to be launched."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            title="LLM Core Lab",
            analytics_enabled=False,
            delete_cache=(CLEAN_EVERY_S, KEEP_FILES_S),
        )
        self.services = services

    def launch(self, *, train_missing: bool = False, **options: Any) -> Any:
        """`Blocks.launch` with the lab's look; watching and warming begin when the page is up."""
        block = not options.pop("prevent_thread_lock", False)
        launched = super().launch(**{**self._look(), **options}, prevent_thread_lock=True)
        self.app.state_holder = LabSessions(self)
        sys.stdout.write(f"LLM Core Lab is at {self.local_url}  (Ctrl-C ends it)\n")
        sys.stdout.flush()
        log_calls()
        self.services.start(train_missing=train_missing)
        if block:
            # Not block_thread: it closes the server while pages still listen, which takes 5 s.
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
            self.close()
        return launched

    def close(self, verbose: bool = False) -> None:
        """Close the page, its threads and its trainings."""
        self.services.close()
        super().close(verbose=verbose)

    def _look(self) -> dict[str, Any]:
        settings = self.services.settings
        return {
            "server_port": _free_port(settings.port),
            "quiet": True,
            "theme": lab_theme(),
            "css_paths": STYLE,
            "i18n": gr.I18n(**_translations()),
            "app_kwargs": {"middleware": self._middleware()},
            "auth": list(settings.users.items()) or None,
            "mcp_server": not settings.users,  # its routes do not ask who calls
            "enable_monitoring": False,  # ours is /metrics
            "footer_links": ["api"],
            "run_history": False,
            "ssr_mode": False,  # the language is set in the page that Python serves
            "max_file_size": f"{settings.max_upload_mb}mb",
            "state_session_capacity": SESSIONS,
        }

    def _middleware(self) -> list[Any]:
        from starlette.middleware import Middleware

        settings = self.services.settings
        return [
            Middleware(
                Gate,
                telemetry=self.services.telemetry,
                users=settings.users,
                max_upload_mb=settings.max_upload_mb,
            ),
            Middleware(LanguageMiddleware, head=HEAD + ROLES),
        ]


def build_page(services: Services) -> LabPage:
    """Lay the page out; nothing is asked of the Hub and no model is loaded."""
    page = LabPage(services)
    with page:
        gr.HTML(text("page.header"))
        with gr.Tabs(overflow_behavior="wrap"):  # on a phone too, every tab is in sight
            for tab in services.tabs:
                with gr.Tab(text(f"tab.{tab.name}"), id=tab.name):
                    tab.build(services)
    _queue(page)
    return page


def _queue(page: LabPage) -> None:
    settings = page.services.settings
    page.queue(api_open=False)  # nobody gets past the queue
    page._queue = LabQueue(
        page,
        room=settings.queue,
        limit=RateLimit(settings.rate_limit),
        telemetry=page.services.telemetry,
    )


def _free_port(wanted: int) -> int:
    """`wanted`, or for 0 one that the system picks. Raises LabError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise LabError(
                f"Port {wanted} of this machine is taken, perhaps by another lab.",
                hint=f"Close that, or choose another port: LAB_PORT={wanted + 1}",
            ) from error
        return int(probe.getsockname()[1])


def _translations() -> dict[str, dict[str, str]]:
    """The table of texts and the header made from it."""
    both = translations()
    for texts in both.values():
        words = {key: texts[f"page.{key}"] for key in ("title", "tagline", "language", "theme")}
        texts["page.header"] = HEADER.format(seal=SEAL, **words)
    return both
