"""Tags and attributes as a browser reads them: text that merely looks like a tag is text."""

from html.parser import HTMLParser


class Tags(HTMLParser):
    """`found` is a list of (tag, attributes)."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
