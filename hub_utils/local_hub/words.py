"""The pages' words in both languages. A page takes one `Words` and asks it by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT = "en"

# key → (English, 中文)
TABLE: Mapping[str, tuple[str, str]] = {
    # frame
    "hub": ("Hub", "Hub"),
    "model": ("Model", "模型"),
    "dataset": ("Data set", "数据集"),
    "space": ("Space", "应用空间"),
    "models": ("Models", "模型"),
    "datasets": ("Data sets", "数据集"),
    "spaces": ("Spaces", "应用空间"),
    "search": ("Search", "搜索"),
    "search_hint": ("Search by name", "按名称搜索"),
    "sign_in": ("Sign in", "登录"),
    "sign_out": ("Sign out", "退出登录"),
    "language": ("Language", "语言"),
    "skip": ("Skip to content", "跳到正文"),
    "footer": (
        "A Hub on this machine: same protocol, same clients, nothing leaves it.",
        "运行在这台机器上的 Hub：同样的协议，同样的客户端，数据不会离开本机。",
    ),
    # front page and lists
    "front_title": ("Everything trained here, in one place", "这里训练的一切，都在此处"),
    "front_lead": (
        "Models, data sets and Spaces of this lab. Every one loads with its stock library.",
        "本实验室的模型、数据集和应用空间。每一个都能用标准库直接加载。",
    ),
    "point_clients": (
        "Point any Hugging Face client here",
        "让任何 Hugging Face 客户端指向这里",
    ),
    "show_all": ("Show all", "查看全部"),
    "nothing_yet": ("Nothing here yet.", "这里还没有内容。"),
    "no_match": ("Nothing matches “{query}”.", "没有与“{query}”匹配的内容。"),
    "clear_search": ("Clear the search", "清除搜索"),
    "sort": ("Sort", "排序"),
    "sort_last_modified": ("Recently updated", "最近更新"),
    "sort_created_at": ("Recently created", "最近创建"),
    "sort_id": ("Name", "名称"),
    "filtered_by": ("Tagged", "标签"),
    "first_page": ("First page", "第一页"),
    "next_page": ("Next page", "下一页"),
    "private": ("Private", "私有"),
    "seeding": ("Being prepared from installed packages:", "正在从已安装的软件包准备："),
    "seed_skipped": ("Not prepared:", "未能准备："),
    # repository
    "card": ("Card", "卡片"),
    "files": ("Files", "文件"),
    "commits": ("History", "历史"),
    "revision": ("Revision", "版本"),
    "branches": ("Branches", "分支"),
    "tags": ("Tags", "标签"),
    "no_card": (
        "This repository has no card. A README.md at its top becomes one.",
        "这个仓库还没有卡片。在顶层放一个 README.md 即可。",
    ),
    "empty_repo": ("This folder is empty.", "这个文件夹是空的。"),
    "use_this": ("Use it", "使用方法"),
    "about": ("About", "概况"),
    "licence": ("Licence", "许可证"),
    "library": ("Library", "库"),
    "task": ("Task", "任务"),
    "languages": ("Languages", "语言"),
    "base_model": ("Made from", "基于"),
    "trained_on": ("Trained on", "训练数据"),
    "parameters": ("Parameters", "参数量"),
    "size": ("Size", "大小"),
    "rows": ("Rows", "行数"),
    "last_update": ("Updated", "更新"),
    "commit": ("Commit", "提交"),
    "measured": ("Measured", "评测"),
    "download": ("Download", "下载"),
    "newer": ("Newer", "较新"),
    "older": ("Older", "更早"),
    "browse": ("Files at this revision", "此版本的文件"),
    "by": ("by {author}", "作者：{author}"),
    "parent_folder": ("parent folder", "上级文件夹"),
    # previews
    "first_rows": ("First rows", "前几行"),
    "rows_of": ("{shown} of {total} rows", "共 {total} 行，显示 {shown} 行"),
    "rows_shown": ("first {shown} rows", "前 {shown} 行"),
    "no_preview": ("{file} cannot be shown: {reason}", "无法显示 {file}：{reason}"),
    "reason_damaged": ("it could not be read as its name says", "内容与其扩展名不符"),
    "reason_binary": ("it is not text", "它不是文本文件"),
    "cut_text": (
        "Only the first {shown} of {total} are shown.",
        "仅显示前 {shown}（共 {total}）。",
    ),
    "cut_list": (
        "Only the first {shown} of {total} entries are shown.",
        "仅显示前 {shown} 项（共 {total} 项）。",
    ),
    "tensor": ("Tensor", "张量"),
    "type": ("Type", "类型"),
    "shape": ("Shape", "形状"),
    # Spaces
    "runtime": ("Runtime", "运行"),
    "stage": ("Stage", "状态"),
    "hardware": ("Hardware", "硬件"),
    "variables": ("Variables", "变量"),
    "secrets": ("Secrets (names only)", "密钥（仅名称）"),
    "none": ("none", "无"),
    "space_note": (
        "The Hub on this machine runs a Space while it is asked to:",
        "本机的 Hub 在收到请求时运行应用空间：",
    ),
    "open_app": ("open the app", "打开应用"),
    "log_build": ("Build log", "构建日志"),
    "log_run": ("Log of the app", "应用日志"),
    # sign-in
    "sign_in_title": ("Sign in with the token of this Hub", "使用 Hub 令牌登录"),
    "sign_in_lead": (
        "The token is in the file “token” in the Hub’s folder, and was shown when the Hub was "
        "started. Private repositories become visible.",
        "令牌保存在 Hub 文件夹的“token”文件里，启动 Hub 时也显示过。登录后可以看到私有仓库。",
    ),
    "token": ("Token", "令牌"),
    "wrong_token": ("This is not the Hub’s token.", "这不是本 Hub 的令牌。"),
    # errors
    "not_found": ("Nothing here", "这里什么也没有"),
    "not_found_lead": (
        "There is no such page, or it is private and you are not signed in.",
        "没有这个页面，或者它是私有的而你还没有登录。",
    ),
    "revision_missing": (
        "The repository is there, but it has no revision “{name}”.",
        "仓库存在，但没有“{name}”这个版本。",
    ),
    "entry_missing": (
        "The repository is there, but “{name}” is not in this revision.",
        "仓库存在，但此版本里没有“{name}”。",
    ),
    "failed": ("The Hub failed here; its log says why.", "Hub 在此出错，原因见日志。"),
    "to_front": ("To the front page", "回到首页"),
    "to_repo": ("To the repository", "回到仓库"),
    # time
    "just_now": ("just now", "刚刚"),
    "minutes_ago": ("{n} min ago", "{n} 分钟前"),
    "hours_ago": ("{n} h ago", "{n} 小时前"),
    "yesterday": ("yesterday", "昨天"),
    "days_ago": ("{n} days ago", "{n} 天前"),
}


@dataclass(frozen=True)
class Words:
    """One language: `words("updated", when=…)` gives its phrase; an unknown key is a KeyError."""

    code: str

    def __call__(self, key: str, **values: object) -> str:
        phrase = TABLE[key][list(LANGUAGES).index(self.code)]
        return phrase.format(**values) if values else phrase

    def ago(self, moment: datetime, now: datetime | None = None) -> str:
        """How long ago, in words up to a month, then the date."""
        seconds = ((now or datetime.now(timezone.utc)) - moment).total_seconds()
        if seconds < 60:
            return self("just_now")
        if seconds < 3600:
            return self("minutes_ago", n=int(seconds // 60))
        if seconds < 86400:
            return self("hours_ago", n=int(seconds // 3600))
        days = int(seconds // 86400)
        if days < 2:
            return self("yesterday")
        return self("days_ago", n=days) if days < 30 else moment.strftime("%Y-%m-%d")


def choose_language(asked: str, remembered: str, accepted: str) -> str:
    """The language of a page: `?lang=`, then the cookie, then Accept-Language, then English."""
    for code in (asked, remembered):
        if code in LANGUAGES:
            return code
    return _accepted(accepted)


def _accepted(header: str) -> str:
    ranked = []
    for part in header[:200].split(","):
        name, _, weight = part.strip().partition(";q=")
        code = name.split("-")[0].strip().lower()
        if code in LANGUAGES:
            ranked.append((_weight(weight), code))
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else DEFAULT


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
