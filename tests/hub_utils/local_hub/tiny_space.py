"""The smallest Space that runs: a server of the standard library instead of Gradio."""

import os
from pathlib import Path

CARD = b"---\ntitle: T\nsdk: gradio\napp_file: main.py\n---\n"
# Answers with its environment and where it imports from; ends itself on /end.
APP = b"""
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        known = {"env": dict(os.environ), "path": sys.path, "cwd": os.getcwd(), "pid": os.getpid()}
        self.wfile.write(json.dumps(known).encode())
        if self.path == "/end":
            os._exit(3)

print("hello from", Path("word.txt").read_text(), "and", os.environ.get("SECRET_WORD"))
HTTPServer(("127.0.0.1", int(os.environ["GRADIO_SERVER_PORT"])), Answer).serve_forever()
"""
FILES = {"README.md": CARD, "main.py": APP, "word.txt": b"one"}


def is_alive(pid):
    """Whether a process is there; one that ended and was not waited for is not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
