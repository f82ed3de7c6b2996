"""Every word of the page in both languages: one table, key → (English, 中文).

Static texts go to the browser through `gr.I18n(**translations())` and follow its language there;
texts made by a handler come from `say(key, language, …)`. Values filled into a text are plain
words: whoever puts the result into HTML escapes it.
"""
# ruff: noqa: E501 - a text is easier to read and to translate on one line

from __future__ import annotations

from hub_utils.errors import LabError
from tabs.language import LOCALES, Language

TEXTS: dict[str, tuple[str, str]] = {
    # the page
    "page.title": ("LLM Core Lab", "LLM Core Lab"),
    "page.tagline": (
        "Train a model, publish it to your Hub, and use it here. Five small models of the LLM core.",
        "训练模型，发布到你的 Hub，就在这里使用。LLM 核心的五个小模型。",
    ),
    "page.theme": ("Light or dark", "浅色或深色"),
    "page.language": ("Language", "语言"),
    "page.stop": ("Stop", "停止"),
    "page.error": (
        "Something unexpected went wrong; nothing you typed is lost. The log of the app has the details.",
        "出现了意外的问题，你输入的内容没有丢失。详情见应用日志。",
    ),
    "page.error_title": ("This did not work", "没有成功"),
    "page.note_title": ("Note", "提示"),
    "page.busy_title": ("Busy", "繁忙"),
    "page.busy": (
        "The page is busy: {waiting} calls already wait for this model. Nothing is lost; try again in a moment.",
        "页面繁忙：已有 {waiting} 个请求在等待这个模型。内容没有丢失，请稍后再试。",
    ),
    "page.limited": (
        "You may make {limit} calls a minute. Nothing is lost; the next one is taken in {seconds} s.",
        "每分钟最多 {limit} 次请求。内容没有丢失，{seconds} 秒后可以继续。",
    ),
    "page.too_large": (
        "What was sent is larger than {limit} MB, the most that this page takes.",
        "发送的内容超过 {limit} MB，这是本页的上限。",
    ),
    "page.not_understood": (
        "The page cannot make sense of this request. See /?view=api for what it takes.",
        "无法理解这个请求。可用的接口见 /?view=api。",
    ),
    "page.sign_in_slowly": (
        "Too many attempts to sign in; try again in {seconds} s.",
        "登录尝试次数过多，请在 {seconds} 秒后再试。",
    ),
    "tab.classify": ("Classify", "文本分类"),
    "tab.generate": ("Generate", "文本生成"),
    "tab.search": ("Search", "语义搜索"),
    "tab.match": ("Match", "图文匹配"),
    "tab.paint": ("Paint", "画图"),
    "tab.hub": ("Hub", "Hub"),
    "tab.status": ("Status", "状态"),
    # the model of a tab, elsewhere
    "elsewhere.title": ("Use it elsewhere", "在别处使用"),
    "elsewhere.intro": (
        "<p>This very revision, with its stock library and nothing of this project.</p>",
        "<p>就用这个版本：只需要通用的库，不需要本项目的任何代码。</p>",
    ),
    "elsewhere.shell": ("First, in a shell", "先在终端里执行"),
    "elsewhere.python": ("Then, in Python", "再在 Python 里执行"),
    # classify
    "classify.intro": (
        "<h2>What is this text about?</h2><p>A small BERT, fine-tuned here with LoRA, reads the text and says "
        "how sure it is of every label. Below the answer, the words that decided are marked.</p>",
        "<h2>这段文字讲的是什么？</h2><p>一个在本地用 LoRA 微调的小型 BERT 读完文字，给出每个标签的把握程度；"
        "答案下方标出起决定作用的词。</p>",
    ),
    "classify.text": ("Text", "文本"),
    "classify.placeholder": (
        "Paste a news item, or pick an example below",
        "粘贴一则新闻，或点选下面的例子",
    ),
    "classify.go": ("Classify", "分类"),
    "classify.examples": ("Examples: one click classifies", "例子：点一下即可分类"),
    "classify.label": ("Label and confidence", "标签与置信度"),
    "classify.words": ("Words that decided", "起决定作用的词"),
    "classify.for_much": ("strongly for", "强烈支持"),
    "classify.for": ("for", "支持"),
    "classify.against": ("against", "反对"),
    "classify.against_much": ("strongly against", "强烈反对"),
    "classify.latency": (
        "Answered in {ms} ms by revision {revision}.",
        "用时 {ms} 毫秒，模型版本 {revision}。",
    ),
    "classify.truncated": (
        "Only the first {tokens} tokens were read; the text is longer.",
        "文本较长，只读取了前 {tokens} 个词元。",
    ),
    "classify.empty": (
        "There is no text to classify; type or paste some, or pick an example.",
        "没有可分类的文本；请输入、粘贴，或点选一个例子。",
    ),
    "classify.too_long": (
        "The text has {given} characters; up to {limit} are accepted. Send a shorter part, or use a file.",
        "文本有 {given} 个字符，上限为 {limit}。请缩短，或改用文件。",
    ),
    # match
    "match.intro": (
        "<h2>Which words fit this picture?</h2><p>A small CLIP, trained here on emoji, places pictures and texts in one space. "
        "Ask it what a picture shows, or describe a picture and let it find one it may never have seen.</p>",
        "<h2>这张图配哪些话？</h2><p>一个在本地用表情符号训练的小型 CLIP，把图片和文字放进同一个空间。"
        "可以问它图里是什么，也可以描述一张图，让它找出来，哪怕它训练时没见过。</p>",
    ),
    "match.by_image": ("Picture → texts", "图 → 文"),
    "match.by_text": ("Text → pictures", "文 → 图"),
    "match.many": ("Likeness table", "相似度表"),
    "match.image": ("Picture: upload or paste", "图片：上传或粘贴"),
    "match.pick": ("Or pick one: a click matches it", "或点选一张，立即匹配"),
    "match.draw": ("Or draw one", "或者画一张"),
    "match.use_drawing": ("Match the drawing", "匹配这幅画"),
    "match.texts": ("What it may show, one text a line", "可能的内容，每行一条"),
    "match.template": ("Wording around each text; {} is the text", "每条文字的句式，{} 代表文字"),
    "match.go": ("Match", "匹配"),
    "match.alike": ("Find pictures like it", "找相似的图"),
    "match.scores": ("How well each text fits", "各条文字的匹配程度"),
    "match.looked": (
        "Below, where it looked for the best text: what is bright mattered.",
        "下图是它为最佳文字看了哪里：亮处起了作用。",
    ),
    "match.find": ("What the picture shows (in English)", "图里有什么（用英文）"),
    "match.k": ("Pictures to show", "显示几张"),
    "match.find_go": ("Find", "查找"),
    "match.examples": ("Examples: one click finds", "例子：点一下即可查找"),
    "match.found": ("The best pictures first, with their cosine", "最合适的图片在前，附余弦值"),
    "match.many_intro": (
        "<h3>Every picture against every text</h3><p>The cosine of each pair. Without pictures of your own, six of the collection are taken.</p>",
        "<h3>每张图对每条文字</h3><p>每一对的余弦值。不上传图片时，取图库中的六张。</p>",
    ),
    "match.files": ("Pictures, up to 12", "图片，最多 12 张"),
    "match.many_go": ("Compare", "比较"),
    "match.credit": (
        '<p>Emoji pictures: <a href="https://github.com/jdecked/twemoji" target="_blank" rel="noopener">Twemoji</a>, CC-BY 4.0.</p>',
        '<p>表情图片：<a href="https://github.com/jdecked/twemoji" target="_blank" rel="noopener">Twemoji</a>，CC-BY 4.0。</p>',
    ),
    "match.latency": (
        "Answered in {ms} ms by revision {revision}.",
        "用时 {ms} 毫秒，模型版本 {revision}。",
    ),
    "match.found_in": (
        "Found in {ms} ms by revision {revision}.",
        "用时 {ms} 毫秒找到，模型版本 {revision}。",
    ),
    "match.ranked_in": (
        "Found in {ms} ms by revision {revision}. What a picture has in common with the nearest "
        "caption it learned counts against it, so the highest cosine need not come first.",
        "用时 {ms} 毫秒找到，模型版本 {revision}。图片与其最近的已学说明的相似度会被扣除，因此余弦值最高的未必排在最前。",
    ),
    "match.no_texts": (
        "There is no text to match; write what the picture may show, one text a line.",
        "没有可匹配的文字；请写下图里可能有什么，每行一条。",
    ),
    "match.too_many": (
        "There are {given} texts; up to {limit} are matched at once.",
        "有 {given} 条文字，一次最多匹配 {limit} 条。",
    ),
    "match.no_place": (
        "The wording {template} has no {{}}; write {{}} where the text belongs.",
        "句式 {template} 里没有 {{}}；请在放文字的地方写 {{}}。",
    ),
    "match.no_image": (
        "There is no picture; upload, paste, draw or pick one.",
        "没有图片；请上传、粘贴、画一张或点选一张。",
    ),
    "match.no_drawing": (
        "The drawing is empty; draw something first.",
        "画布是空的，请先画点什么。",
    ),
    "match.empty": (
        "There is nothing to find; write what the picture shows.",
        "没有可查找的内容；请写下图里有什么。",
    ),
    "match.count": (
        "{given} pictures cannot be shown; choose 1 to {limit}.",
        "无法显示 {given} 张图片，请选 1 到 {limit} 张。",
    ),
    # paint
    "paint.intro": (
        "<h2>What does it look like?</h2><p>A small latent diffusion model, trained here on emoji, paints a few words: it begins with noise and, "
        "step by step, takes away what does not fit them.</p>",
        "<h2>它长什么样？</h2><p>一个在本地用表情符号训练的小型潜在扩散模型，把几个词画成图：从噪声开始，一步步去掉与文字不符的部分。</p>",
    ),
    "paint.prompt": ("What to paint (in English)", "画什么（用英文）"),
    "paint.placeholder": (
        "A few words, or pick an example below",
        "写几个词，或点选下面的例子",
    ),
    "paint.go": ("Paint", "画"),
    "paint.examples": ("Examples: one click paints", "例子：点一下即可作画"),
    "paint.count": ("Variations", "张数"),
    "paint.more": ("Seed, steps, guidance, scheduler", "种子、步数、引导强度、调度器"),
    "paint.seed": ("Seed: the same gives the same picture", "种子：相同的种子画出相同的图"),
    "paint.seed_new": ("Empty: a new one each time", "留空：每次换一个"),
    "paint.steps": ("Steps from noise to the picture", "从噪声到图片的步数"),
    "paint.guidance": (
        "Guidance: how strictly to follow the words",
        "引导强度：多大程度上按文字画",
    ),
    "paint.scheduler": ("Scheduler", "调度器"),
    "paint.published": ("As published", "按发布时的设置"),
    "paint.negative": ("What it should not be like", "不要像什么"),
    "paint.save": ("save PNG", "保存 PNG"),
    "paint.way": ("From noise to the picture", "从噪声到图片"),
    "paint.becoming": ("Step {step} of {of}.", "第 {step} 步，共 {of} 步。"),
    "paint.done": (
        "Painted in {seconds} s with seed {seed} by revision {revision}.",
        "用时 {seconds} 秒，种子 {seed}，模型版本 {revision}。",
    ),
    "paint.between_intro": (
        "<h3>From one prompt to another</h3><p>The noise stays the same; only what the text encoder says moves, in equal steps.</p>",
        "<h3>从一句话到另一句话</h3><p>噪声不变，只让文本编码器的输出等距移动。</p>",
    ),
    "paint.first": ("From", "从"),
    "paint.second": ("To", "到"),
    "paint.between_go": ("Go", "开始"),
    "paint.between": ("{first} → {second}, {seconds} s", "{first} → {second}，{seconds} 秒"),
    "paint.empty": (
        "There is nothing to paint; write a few words, for instance: tomato.",
        "没有可画的内容；请写几个词，例如：tomato。",
    ),
    "paint.two_prompts": (
        "Two prompts are needed; one of them is empty.",
        "需要两句话，其中一句是空的。",
    ),
    # generate
    "generate.intro": (
        "<h2>How does the story go on?</h2><p>A small GPT, trained here on fairy tales, writes one token after the "
        "other. Each is coloured by how likely it was; click one to see what else could have come.</p>",
        "<h2>故事接下来怎么讲？</h2><p>一个在本地用童话训练的小型 GPT，一个词元接一个词元地往下写。"
        "颜色表示每个词元有多可能；点一下就能看到当时还有哪些选择。</p>",
    ),
    "generate.prompt": ("Beginning", "开头"),
    "generate.placeholder": (
        "Write the beginning of a tale, or pick one below",
        "写下故事的开头，或点选下面的例子",
    ),
    "generate.go": ("Go on", "续写"),
    "generate.examples": ("Beginnings: one click writes on", "例子：点一下就续写"),
    "generate.max_new_tokens": ("Length in tokens", "长度（词元）"),
    "generate.temperature": ("Temperature", "温度"),
    "generate.compare": (
        "Side by side with a second temperature, same seed",
        "与另一个温度并排，同一个种子",
    ),
    "generate.other": ("Second temperature", "第二个温度"),
    "generate.no_cache": (
        "No cache: also write without it, to see what it saves",
        "不用缓存：再写一遍，看看缓存省了多少",
    ),
    "generate.more": ("Top-k, top-p, seed", "Top-k、top-p、种子"),
    "generate.top_k": ("Top-k (0: off)", "Top-k（0 为关闭）"),
    "generate.top_p": ("Top-p (1: off)", "Top-p（1 为关闭）"),
    "generate.seed": ("Seed", "种子"),
    "generate.seed_new": ("a new one each time", "每次不同"),
    "generate.lane": ("Temperature {temperature}", "温度 {temperature}"),
    "generate.lane_no_cache": (
        "Temperature {temperature}, no cache",
        "温度 {temperature}，不用缓存",
    ),
    "generate.speed": ("{rate} tokens/s · {tokens} tokens", "每秒 {rate} 个词元 · 共 {tokens} 个"),
    "generate.next": ("What could have come here", "这里可能出现的词元"),
    "generate.hint": (
        "Click a token, or walk along with the arrow keys.",
        "点击一个词元，或用方向键逐个查看。",
    ),
    "generate.text": ("The text, token by token", "逐个词元的文本"),
    "generate.chosen": ("chosen", "已选中"),
    "generate.legend": (
        '<p class="lab-legend"><span>How likely the model found each token:</span> <span class="lab-token p0">50 % or more</span> '
        '<span class="lab-token p1">20–50 %</span> <span class="lab-token p2">5–20 %</span> '
        '<span class="lab-token p3">1–5 %</span> <span class="lab-token p4">under 1 %</span></p>',
        '<p class="lab-legend"><span>模型认为每个词元有多可能：</span> <span class="lab-token p0">不低于 50 %</span> '
        '<span class="lab-token p1">20–50 %</span> <span class="lab-token p2">5–20 %</span> '
        '<span class="lab-token p3">1–5 %</span> <span class="lab-token p4">低于 1 %</span></p>',
    ),
    "generate.done": (
        "Answered in {seconds} s by revision {revision}: {tokens} tokens, seed {seed}.",
        "用时 {seconds} 秒，模型版本 {revision}：{tokens} 个词元，种子 {seed}。",
    ),
    "generate.stopped": (
        "Stopped after {seconds} s: {tokens} tokens by revision {revision}, seed {seed}.",
        "{seconds} 秒后停止：{tokens} 个词元，模型版本 {revision}，种子 {seed}。",
    ),
    "generate.gain": (
        "With the cache {cached} tokens a second, without it {uncached}: it makes this answer {times} times as fast.",
        "用缓存每秒 {cached} 个词元，不用缓存 {uncached} 个：缓存让这次生成快到 {times} 倍。",
    ),
    "generate.same": ("The tokens are the same.", "两次的词元完全相同。"),
    "generate.cut": (
        "The beginning is longer than the model's context of {context} tokens: its first {cut} tokens were left out.",
        "开头超出模型 {context} 个词元的上下文：最前面的 {cut} 个词元已略去。",
    ),
    "generate.empty": (
        "There is nothing to go on from; write a few words, or pick a beginning.",
        "没有可续写的开头；请写几个词，或点选一个例子。",
    ),
    "generate.too_long": (
        "The beginning has {given} characters; up to {limit} are accepted. Shorten it.",
        "开头有 {given} 个字符，上限为 {limit}。请缩短。",
    ),
    "generate.range": (
        "{name} is {given}; it must be between {low} and {high}.",
        "{name} 为 {given}，应在 {low} 与 {high} 之间。",
    ),
    # search
    "search.intro": (
        "<h2>Where is it written?</h2><p>An index of passages, built here and published as a data set, finds them by "
        "meaning (dense), by words (keyword) or by both. The map shows the whole corpus and where your question falls.</p>",
        "<h2>哪里写到过？</h2><p>一个在本地建立、以数据集发布的段落索引，可按语义（稠密向量）、按词（关键词）或两者结合查找。"
        "地图上是整个语料库，以及你的问题落在哪里。</p>",
    ),
    "search.query": ("What do you look for?", "你想找什么？"),
    "search.placeholder": (
        "Ask in your own words, or pick an example below",
        "用自己的话提问，或点选下面的例子",
    ),
    "search.go": ("Search", "搜索"),
    "search.examples": ("Examples: one click searches", "例子：点一下即可搜索"),
    "search.by": ("Search by", "查找方式"),
    "search.hybrid": ("Both (hybrid)", "两者结合"),
    "search.dense": ("Meaning (dense)", "按语义"),
    "search.keyword": ("Words (keyword)", "按词"),
    "search.all": ("All three, side by side", "三种并排"),
    "search.only": ("Only from (else everywhere)", "限定范围（不选即全部）"),
    "search.k": ("Passages to show", "显示几段"),
    "search.where": ("Search in", "搜索对象"),
    "search.facts": (
        "{passages} passages of {documents} documents, {dimension} numbers each, by the encoder {encoder}.",
        "{documents} 篇文档，{passages} 个段落，每段 {dimension} 个数，编码器 {encoder}。",
    ),
    "search.results": ("Passages found, the best first", "找到的段落，最相关的在前"),
    "search.like": ("More like “{title}”", "与“{title}”相近的段落"),
    "search.passage": ("passage {number} of {count}", "第 {number} / {count} 段"),
    "search.cosine": ("meaning {score}", "语义 {score}"),
    "search.bm25": ("words {score}", "词 {score}"),
    "search.rank_hybrid": ("both: no. {rank}", "两者结合：第 {rank}"),
    "search.rank_dense": ("meaning: no. {rank}", "按语义：第 {rank}"),
    "search.rank_keyword": ("words: no. {rank}", "按词：第 {rank}"),
    "search.alone": ("only here", "仅此处找到"),
    "search.more": ("More like this", "找相近的"),
    "search.more_of": ("More like this: {title}", "找相近的：{title}"),
    "search.context": ("Context", "上下文"),
    "search.copy": ("1 near-copy", "1 个近似重复"),
    "search.copies": ("{count} near-copies", "{count} 个近似重复"),
    "search.none": ("Nothing was found.", "没有找到。"),
    "search.map": ("Map of the corpus", "语料库地图"),
    "search.map_hint": (
        "A point is a passage; near points are alike. The star is your question, the numbers are its answers. "
        "Drag to move, scroll to zoom, double-click to go back.",
        "每个点是一个段落，相近的点内容相近。星号是你的问题，数字是找到的答案。拖动可移动，滚轮可缩放，双击复原。",
    ),
    "search.your_query": ("Your question: {query}", "你的问题：{query}"),
    "search.latency": (
        "{hits} passages in {ms} ms by revision {revision}.",
        "用时 {ms} 毫秒，找到 {hits} 段，索引版本 {revision}。",
    ),
    "search.latency_own": (
        "{hits} passages in {ms} ms from {name}.",
        "用时 {ms} 毫秒，在 {name} 中找到 {hits} 段。",
    ),
    "search.notice_cut": (
        "The query has {given} characters; its first {limit} were searched for.",
        "查询有 {given} 个字符，只搜索了前 {limit} 个。",
    ),
    "search.notice_words": ("No passage has these words.", "没有段落包含这些词。"),
    "search.notice_filters": (
        "No passage meets these filters and this query.",
        "没有段落同时符合限定范围和这个查询。",
    ),
    "search.empty": (
        "There is nothing to look for; type a few words, or pick an example.",
        "没有要查找的内容；请输入几个词，或点选一个例子。",
    ),
    "search.too_long": (
        "The query has {given} characters; up to {limit} are accepted. Shorten it.",
        "查询有 {given} 个字符，上限为 {limit}。请缩短。",
    ),
    "search.range": (
        "k is {given}; it must be a number from 1 to {limit}.",
        "k 为 {given}，应为 1 到 {limit} 之间的数。",
    ),
    "search.unknown_mode": (
        "There is no mode {given}; use one of: {known}.",
        "没有 {given} 这种方式；可用：{known}。",
    ),
    "search.unknown_filter": (
        "{given} is not a filter of this index; pick one in the list.",
        "{given} 不是这个索引的限定范围；请在列表中选择。",
    ),
    # the reader's own file
    "own.intro": (
        "<h3>Your own file</h3><p>Index a text, Markdown, HTML or PDF file, or a CSV, TSV or JSON Lines file with a column "
        "<code>text</code>: up to 5 MB and 1,000 passages, in seconds. Only this page sees it, and it is forgotten 30 minutes "
        "after you last used it.</p>",
        "<h3>你自己的文件</h3><p>为一个文本、Markdown、HTML 或 PDF 文件，或含 <code>text</code> 列的 CSV、TSV、JSON Lines 文件建立索引："
        "至多 5 MB、1,000 个段落，几秒完成。只有当前页面能看到它，停止使用 30 分钟后即被清除。</p>",
    ),
    "own.file": ("File", "文件"),
    "own.go": ("Index the file", "建立索引"),
    "own.forget": ("Forget it", "清除"),
    "own.progress": ("{done} of {passages} passages", "{done} / {passages} 段"),
    "own.reading": ("Reading {name}", "正在读取 {name}"),
    "own.done": (
        "{name}: {passages} passages of {documents} documents in {seconds} s. You now search in it.",
        "{name}：{documents} 篇文档，{passages} 个段落，用时 {seconds} 秒。现在就在其中搜索。",
    ),
    "own.forgotten": ("The file is forgotten.", "文件已清除。"),
    "own.published": ("the published index", "已发布的索引"),
    "own.none": ("Choose a file first.", "请先选择文件。"),
    "own.gone": (
        "Your file is no longer kept: it was not used for {minutes} minutes, or others came. Index it again.",
        "你的文件已不再保留：{minutes} 分钟未使用，或已被新的文件替换。请重新建立索引。",
    ),
    "own.no_text": (
        "{name} has no text that can be read. A scanned PDF needs text recognition first.",
        "{name} 中没有可读的文本。扫描的 PDF 需要先做文字识别。",
    ),
    "own.too_big": (
        "{name} has {given} MB; up to {limit} MB are accepted. Split the file, or build an index with `python -m training index`.",
        "{name} 有 {given} MB，上限为 {limit} MB。请拆分文件，或用 `python -m training index` 建立索引。",
    ),
    "own.too_long": (
        "{name} has more than {limit} passages. Split the file, or build an index with `python -m training index`.",
        "{name} 超过 {limit} 个段落。请拆分文件，或用 `python -m training index` 建立索引。",
    ),
    "own.stopped": ("Stopped: {name} was not indexed.", "已停止：{name} 未建立索引。"),
    # which model answers: provenance and notices
    "model.lower": ("{figure} (lower is better)", "{figure}（越低越好）"),
    "model.choice": ("Model", "模型"),
    "model.choice_dataset": ("Index", "索引"),
    "model.unknown": (
        "{repo} is not a model of this namespace that this tab can serve; pick one in the list.",
        "{repo} 不是这个命名空间里本页可用的模型；请在列表中选择。",
    ),
    "model.load_new": ("Load revision {revision}", "载入版本 {revision}"),
    "model.served": ("served at", "当前版本"),
    "model.card": ("model card", "模型卡"),
    "model.card_dataset": ("data card", "数据卡"),
    "model.pinned": ("pinned", "已固定"),
    "notice.offer": (
        "A new revision, {revision}, is published. The page still serves {served}.",
        "已发布新版本 {revision}，页面仍在使用 {served}。",
    ),
    "notice.waiting": (
        "Waiting for {repo}: it is not published yet. This tab comes alive by itself when it lands.",
        "正在等待 {repo}：尚未发布。发布后本页会自动启用。",
    ),
    "notice.waiting_how": (
        "Train it on the Hub tab, or with `{command}`.",
        "请在 Hub 页训练，或运行 `{command}`。",
    ),
    "notice.loading": ("Loading {repo}…", "正在载入 {repo}……"),
    "notice.asking": ("Asking the Hub for {repo}…", "正在向 Hub 查询 {repo}……"),
    "notice.away": (
        "The Hub does not answer. The page serves the copy it has, revision {revision}.",
        "Hub 没有应答，页面使用本地保存的版本 {revision}。",
    ),
    "notice.away_empty": (
        "The Hub does not answer and no copy of {repo} is kept here. The page keeps asking.",
        "Hub 没有应答，本地也没有 {repo} 的副本。页面会继续尝试。",
    ),
    # batch
    "batch.intro": (
        "<h3>A whole file</h3><p>A CSV, TSV, JSON Lines or Parquet file with a column <code>text</code> (or a "
        "single column): up to 10,000 rows and 20 MB. You get a CSV with the label of every row and its confidence.</p>",
        "<h3>整个文件</h3><p>CSV、TSV、JSON Lines 或 Parquet 文件，含 <code>text</code> 列（或只有一列）："
        "至多 10,000 行、20 MB。返回的 CSV 每行都有标签与置信度。</p>",
    ),
    "batch.file": ("File", "文件"),
    "batch.go": ("Classify the file", "对文件分类"),
    "batch.result": ("Result (CSV)", "结果（CSV）"),
    "batch.progress": ("{done} of {rows} rows", "{done} / {rows} 行"),
    "batch.left": ("{done} of {rows} rows, about {time} left", "{done} / {rows} 行，约剩 {time}"),
    "batch.done": (
        "{rows} rows in {time}, {rate} a second.",
        "{rows} 行，用时 {time}，每秒 {rate} 行。",
    ),
    "batch.stopped": (
        "Stopped after {done} of {rows} rows; the file has those.",
        "已停止：完成 {done} / {rows} 行，结果文件含已完成部分。",
    ),
    "batch.none": ("Choose a file first.", "请先选择文件。"),
    "batch.suffix": (
        "{name} is of a kind that is not read here. Use one of: {known}.",
        "无法读取 {name} 这种格式。可用格式：{known}。",
    ),
    "batch.no_rows": (
        "{name} has no rows. Put one text on each row, under a header `text`.",
        "{name} 没有数据行。请在表头 `text` 下每行放一段文本。",
    ),
    "batch.no_text": (
        "{name} has no column `text`; it has: {columns}. Rename the column that holds the texts.",
        "{name} 没有 `text` 列；现有列：{columns}。请将存放文本的列改名为 `text`。",
    ),
    "batch.empty_row": (
        "{name}, row {row}: the text is empty. Give that row a text, or remove it.",
        "{name} 第 {row} 行的文本为空。请补上文本，或删除该行。",
    ),
    "batch.too_big": (
        "{name} has {given} MB; up to {limit} MB are accepted. Split the file.",
        "{name} 有 {given} MB，上限为 {limit} MB。请拆分文件。",
    ),
    "batch.too_many": (
        "{name} has {given} rows; up to {limit} are accepted. Split the file.",
        "{name} 有 {given} 行，上限为 {limit} 行。请拆分文件。",
    ),
    # hub
    "hub.intro": (
        "<h2>What is published where</h2><p>Every model and data set of this lab is a repository on a Hub, with its "
        "history. Train what is missing, watch it land, and go back to an older revision when you like it better.</p>",
        "<h2>发布了什么，在哪里</h2><p>本实验室的每个模型和数据集都是 Hub 上带历史的仓库。缺什么就训练什么，看着它发布；"
        "更喜欢旧版本，就退回去。</p>",
    ),
    "hub.embedded": ("Embedded Hub at", "内置 Hub："),
    "hub.remote": ("Hub at", "Hub："),
    "hub.namespace": ("namespace", "命名空间"),
    "hub.away": (
        "does not answer; what is shown was true when it last did",
        "没有应答；以下是它上次应答时的情况",
    ),
    "hub.published": ("Published", "已发布"),
    "hub.repository": ("Repository", "仓库"),
    "hub.revision": ("Revision", "版本"),
    "hub.metric": ("Headline", "主要指标"),
    "hub.updated": ("Updated", "更新时间"),
    "hub.serving": ("serving", "使用中"),
    "hub.private": ("private", "私有"),
    "hub.nothing": ("Nothing yet in this namespace.", "这个命名空间还是空的。"),
    "hub.asking": ("Asking the Hub…", "正在查询 Hub……"),
    "hub.model": ("model", "模型"),
    "hub.dataset": ("data set", "数据集"),
    "hub.space": ("Space", "Space"),
    "hub.training_section": ("<h3>Training</h3>", "<h3>训练</h3>"),
    "hub.train_missing": ("Train and publish what is missing", "训练并发布缺少的模型"),
    "hub.train_again": ("Train again", "重新训练"),
    "hub.train_on": ("Train the painter on", "接着训练画图模型"),
    "hub.nothing_to_go_on": (
        "{repos} is not published yet, so there is nothing to go on from; train it first.",
        "{repos} 尚未发布，无法接着训练；请先训练它。",
    ),
    "hub.stop": ("Stop the training", "停止训练"),
    "hub.none_missing": (
        "Nothing is missing: every artefact is published.",
        "什么都不缺：全部已发布。",
    ),
    "hub.missing": ("Not published yet: {repos}.", "尚未发布：{repos}。"),
    "hub.started": ("The training has started; follow it here.", "训练已开始，可在此查看进度。"),
    "hub.history_section": (
        "<h3>History and rollback</h3><p>Pick a commit and the page serves it, now and after a restart.</p>",
        "<h3>历史与回退</h3><p>选中一个提交，页面就使用它，重启后依然有效。</p>",
    ),
    "hub.commits": ("Recent commits, newest first", "最近的提交，新的在前"),
    "hub.pin": ("Serve this revision", "使用所选版本"),
    "hub.unpin": ("Serve the newest", "使用最新版本"),
    "hub.pinned": ("{repo} is pinned to {revision}.", "{repo} 已固定在 {revision}。"),
    "hub.unpinned": ("{repo} serves its newest revision.", "{repo} 使用最新版本。"),
    "hub.pick": ("Pick a commit in the list first.", "请先在列表中选一个提交。"),
    "hub.fixed": (
        "LAB_REVISIONS pins {repo} to {revision}; change that variable and start the app again.",
        "LAB_REVISIONS 已将 {repo} 固定在 {revision}；请修改该变量后重新启动应用。",
    ),
    "hub.read_only_note": (
        "<p>This page is read-only: it serves models and changes nothing. Run the lab on your own machine to train, "
        "publish or roll back.</p>",
        "<p>本页只读：只提供模型，不做更改。要训练、发布或回退，请在自己的机器上运行本实验室。</p>",
    ),
    "hub.read_only": (
        "This page is read-only: it serves models and changes nothing.",
        "本页只读：只提供模型，不做更改。",
    ),
    "hub.bad_name": (
        "{name!r} cannot be a repository's name: use letters, digits, '-', '_' and '.', and begin and end with a letter or a digit.",
        "{name!r} 不能作为仓库名：请使用字母、数字、“-”、“_”和“.”，并以字母或数字开头和结尾。",
    ),
    # the tab Hub: a classifier of a table of one's own
    "mine.section": (
        "<h3>Your own texts</h3><p>A table with a column of texts and a column of labels becomes a classifier, published here with a card "
        "that says how it did on rows it had not seen.</p>",
        "<h3>你自己的文本</h3><p>一列文本、一列标签的表格可以变成分类器，发布到这里；卡片写明它在没见过的行上的表现。</p>",
    ),
    "mine.file": (
        "A CSV, TSV, JSON Lines or Parquet file",
        "CSV、TSV、JSON Lines 或 Parquet 文件",
    ),
    "mine.text": ("Column of texts", "文本列"),
    "mine.label": ("Column of labels", "标签列"),
    "mine.name": ("Publish as", "发布为"),
    "mine.minutes": ("Minutes of training, at most", "训练时间上限（分钟）"),
    "mine.go": ("Train and publish", "训练并发布"),
    "mine.none": ("Choose a file with labelled texts first.", "请先选择一个带标签的文本文件。"),
    "mine.suffix": (
        "{name} has an unknown suffix. Use one of: {known}.",
        "{name} 的后缀无法识别，请使用：{known}。",
    ),
    "mine.no_rows": ("{name} has no rows.", "{name} 没有数据行。"),
    "mine.one_column": (
        "{name} has one column; a table of labelled texts has a column of texts and one of labels.",
        "{name} 只有一列；带标签的文本表需要一列文本和一列标签。",
    ),
    "mine.no_columns": (
        "Choose the column of texts and the column of labels.",
        "请选择文本列和标签列。",
    ),
    "mine.same_column": (
        "Texts and labels are both to come from the column {column}; choose another for one of them.",
        "文本和标签都选了 {column} 列，请为其中一个另选一列。",
    ),
    "mine.about": (
        "{rows} rows, {labels} labels: {counts}",
        "{rows} 行，{labels} 个标签：{counts}",
    ),
    "mine.many": (
        "Nearly every row has a label of its own, so there is nothing to learn; is it the right column?",
        "几乎每一行的标签都不同，学不到东西；列选对了吗？",
    ),
    "mine.started": (
        "{name} is trained as soon as it is its turn; follow it above. Then the Classify tab offers it, and you can deploy it below.",
        "轮到时就会训练 {name}，可在上方查看进度。完成后可在“文本分类”页选用，也可在下方部署。",
    ),
    # the Spaces of the tab Hub
    "spaces.section": (
        "<h3>Spaces</h3><p>A published model becomes a page of its own: a Space, which this machine's Hub builds and runs.</p>",
        "<h3>Space</h3><p>让已发布的模型成为独立的网页：一个 Space，由本机的 Hub 构建并运行。</p>",
    ),
    "spaces.model": ("Model or index", "模型或索引"),
    "spaces.name": ("Name of the Space", "Space 的名称"),
    "spaces.go": ("Deploy and run", "部署并运行"),
    "spaces.pause": ("Pause this Space", "暂停这个 Space"),
    "spaces.open": ("open", "打开"),
    "spaces.pick": (
        "Choose a published model first; what is not published yet cannot be deployed.",
        "请先选择一个已发布的模型；尚未发布的无法部署。",
    ),
    "spaces.started": (
        "{name} is being deployed; follow it above.",
        "正在部署 {name}，可在上方查看进度。",
    ),
    "spaces.paused": (
        "{name} is paused; deploying it again wakes it.",
        "{name} 已暂停；再次部署即可唤醒。",
    ),
    "spaces.elsewhere": (
        "{endpoint} is not this machine's Hub, and may charge for a Space; deploy there from a shell: python -m hub_utils deploy.",
        "{endpoint} 不是本机的 Hub，运行 Space 可能产生费用；请在终端里部署：python -m hub_utils deploy。",
    ),
    "spaces.elsewhere_note": (
        "<h3>Spaces</h3><p>This page deploys to this machine's Hub only. To make a Space on the Hub that it is connected to, use a shell: "
        "<code>python -m hub_utils deploy spaces/classifier --watch</code></p>",
        "<h3>Space</h3><p>本页只向本机的 Hub 部署。要在所连接的 Hub 上创建 Space，请在终端里执行："
        "<code>python -m hub_utils deploy spaces/classifier --watch</code></p>",
    ),
    "deployment.queued": ("{name}: waits for its turn", "{name}：排队中"),
    "deployment.running": ("{name}: deploying and building", "{name}：正在部署和构建"),
    "deployment.finished": ("{name} runs", "{name} 运行中"),
    "deployment.failed": ("{name}: does not run. {problem}", "{name}：没有运行。{problem}"),
    "deployment.stopped": ("{name}: stopped", "{name}：已停止"),
    "stage.BUILDING": ("building", "构建中"),
    "stage.RUNNING_BUILDING": ("building anew", "重新构建中"),
    "stage.APP_STARTING": ("starting", "启动中"),
    "stage.RUNNING": ("running", "运行中"),
    "stage.PAUSED": ("paused", "已暂停"),
    "stage.STOPPED": ("not running", "未运行"),
    "stage.BUILD_ERROR": ("cannot be built", "构建失败"),
    "stage.RUNTIME_ERROR": ("its app ended", "应用已退出"),
    # status
    "status.intro": (
        "<h2>How is the page doing?</h2><p>Every kind of call since the app started: how many, how they ended and how long "
        "they took. No text of a reader is kept. Programs read the same at <code>/metrics</code> (Prometheus).</p>",
        "<h2>页面运行得怎么样？</h2><p>应用启动以来的各类请求：次数、结果和用时。不保存读者的任何文字。"
        "程序可在 <code>/metrics</code> 读取同样的数据（Prometheus 格式）。</p>",
    ),
    "status.none": ("No calls yet.", "还没有请求。"),
    "status.endpoint": ("Call", "请求"),
    "status.calls": ("Calls", "次数"),
    "status.refused": ("Refused", "拒绝"),
    "status.failed": ("Failed", "失败"),
    "status.p50": ("Median", "用时中位数"),
    "status.p95": ("p95", "用时 p95"),
    "status.waited": ("In the queue, p95", "排队 p95"),
    "status.up": ("Up for {time}", "已运行 {time}"),
    "status.memory": ("{mb} MB of memory", "内存 {mb} MB"),
    "status.queue": ("{n} calls wait", "{n} 个请求在等待"),
    "status.note": (
        "Seconds at work, of the newest 500 answers. Refused: a sentence about what was given, or “busy, try again”. "
        "Failed: unexpected, see the log.",
        "用时为最近 500 次回答的秒数。拒绝：对输入的提示，或“繁忙，请稍后再试”。失败：意外错误，见日志。",
    ),
    # training
    "job.idle": ("No training runs.", "没有训练在进行。"),
    "job.queued": ("{recipe}: waits for its turn", "{recipe}：排队中"),
    "job.running": ("{recipe}: {phase}", "{recipe}：{phase}"),
    "phase.start": ("starting", "启动"),
    "phase.load": ("loading", "载入"),
    "phase.prepare": ("preparing", "准备"),
    "phase.train": ("training", "训练"),
    "phase.evaluate": ("evaluating", "评估"),
    "phase.publish": ("publishing", "发布"),
    "phase.done": ("done", "完成"),
    "job.finished": ("{recipe}: finished and published", "{recipe}：已完成并发布"),
    "job.kept_back": (
        "{recipe}: finished, not published: the judge finds it worse than what it went on from",
        "{recipe}：已完成，未发布：评判模型认为它不如原来的版本",
    ),
    "job.failed": ("{recipe}: did not finish. {problem}", "{recipe}：未完成。{problem}"),
    "job.stopped": ("{recipe}: stopped", "{recipe}：已停止"),
    "job.step": ("step {step} of {steps}", "第 {step} / {steps} 步"),
    "job.loss": ("loss {loss}", "损失 {loss}"),
    "job.left": ("about {time} left", "约剩 {time}"),
    "job.curve": ("Training loss by step", "各步的训练损失"),
    "time.seconds": ("{n} s", "{n} 秒"),
    "time.minutes": ("{n} min", "{n} 分钟"),
    # errors, by their class: in English the sentence itself is shown
    "error.HubUnavailableError": ("{detail}", "Hub 没有应答。（{detail}）"),
    "error.RepoNotFoundError": ("{detail}", "找不到这个仓库，或尚未发布。（{detail}）"),
    "error.RevisionNotFoundError": ("{detail}", "仓库里没有这个版本。（{detail}）"),
    "error.EntryNotFoundError": ("{detail}", "仓库里没有这个文件。（{detail}）"),
    "error.AccessError": ("{detail}", "Hub 拒绝访问：令牌不对，或没有权限。（{detail}）"),
    "error.UnsafeWeightsError": (
        "{detail}",
        "权重是 pickle 格式，可能执行任意代码，已拒绝载入。（{detail}）",
    ),
    "error.DataError": ("{detail}", "数据文件有问题。（{detail}）"),
    "error.LabError": ("{detail}", "没有成功。（{detail}）"),
}


class PageError(LabError):
    """An expected error of the page itself: a row of the table, so that both languages have it."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(say(key, "en", **values))
        self.key, self.values = key, values


def say(key: str, language: Language, **values: object) -> str:
    """The text of `key` with `values` filled in."""
    return TEXTS[key][0 if language == "en" else 1].format(**values)


def sentence(error: LabError, language: Language) -> str:
    """What to show of an expected error: the sentence, the hint, in the reader's language."""
    if isinstance(error, PageError):
        return say(error.key, language, **error.values)
    names = (kind.__name__ for kind in type(error).__mro__)
    key = next(f"error.{name}" for name in names if f"error.{name}" in TEXTS)
    return say(key, language, detail=f"{error} {error.hint}".strip())


def duration(seconds: float, language: Language) -> str:
    """Seconds as a reader counts them: "40 s", "3 min"."""
    if seconds < 90:
        return say("time.seconds", language, n=max(1, round(seconds)))
    return say("time.minutes", language, n=round(seconds / 60))


def translations() -> dict[str, dict[str, str]]:
    """The table as `gr.I18n` takes it, by the front end's locale names."""
    return {
        locale: {key: pair[index] for key, pair in TEXTS.items()}
        for index, locale in enumerate(LOCALES.values())
    }
