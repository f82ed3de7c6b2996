"""The settings table in 中文: variable → (default, meaning). README.zh.md is made of it.

A setting that is not here yet stands there in English and says so.
"""
# ruff: noqa: E501 - a text is easier to read and to translate on one line

from __future__ import annotations

UNTRANSLATED = "（尚无译文）"
SETTINGS: dict[str, tuple[str, str]] = {
    "HF_TOKEN": ("无", "可写的令牌；有它而没有 `HF_ENDPOINT` 时使用真正的 Hub。"),
    "HF_ENDPOINT": ("无", "Hub 的地址；没有它也没有令牌时使用内置 Hub。"),
    "HF_HOME": ("使用内置 Hub 时为 `.lab/cache`", "下载的版本缓存在哪里。"),
    "LAB_SPACE_TOKEN": ("无", "只读令牌，`deploy` 把它存为 Space 的密钥，用于私有模型。"),
    "LAB_NAMESPACE": ("令牌所属的用户", "以哪个用户或组织发布。"),
    "LAB_HUB_ROOT": ("`.lab/hub`", "内置 Hub 的文件夹。"),
    "LAB_MODELS": ("无", "某一页使用哪个仓库，如 `classify=ticket-router`，多个用逗号分隔。"),
    "LAB_REVISIONS": ("无", "使用哪个版本，如 `repo=revision`，多个用逗号分隔；优先于页面上的固定版本。"),
    "LAB_SEARCH_STORE": ("`chroma`", "在哪里查找最近的向量：`chroma`、`exact`、`faiss-flat`、`faiss-hnsw`、`faiss-ivfpq`，或按大小选择的 `auto`。"),
    "CHROMA_URL": ("无", "Chroma 服务器，如 `http://127.0.0.1:8000`，代替内嵌的 Chroma。"),
    "LAB_TABS": ("全部", "页面上的标签页，如 `classify`，多个用逗号分隔；只加载它们的模型。"),
    "LAB_PORT": ("`GRADIO_SERVER_PORT`，`7860`", "网页的端口；`0` 表示任选一个空闲端口。"),
    "LAB_AUTH": ("无", "谁可以登录：`name:password`，多个用逗号分隔，或每行一个的文件。"),
    "LAB_QUEUE": ("`64`", "每个模型最多有多少调用等待；更多的会被告知稍后再来。"),
    "LAB_RATE_LIMIT": ("`0`，不限", "一个客户端每分钟可以调用多少次。"),
    "LAB_MAX_UPLOAD_MB": ("`20`", "网页接受的最大文件，以兆字节计。"),
    "LAB_READ_ONLY": ("`0`，在 Space 里为 `1`", "`1` 表示页面上不提供训练、发布与固定版本。"),
}  # fmt: skip


def table(rows: tuple[tuple[str, str, str], ...]) -> str:
    """The table's Markdown. rows: (variable, default, meaning) in English."""
    lines = ["| 变量 | 默认值 | 含义 |", "|---|---|---|"]
    for name, default, meaning in rows:
        said = SETTINGS.get(name, (default, meaning + UNTRANSLATED))
        lines.append(f"| `{name}` | {said[0]} | {said[1]} |")
    return "\n".join(lines) + "\n"
