"""A WSGI application without a framework."""

import os

BODY = b"hello\n"
HEADERS = [
    ("Content-Type", "text/plain"),
    ("Content-Length", str(len(BODY))),
    ("X-Generation", os.environ.get("ROOST_GENERATION", "0")),
]


def app(environ, start_response):
    start_response("200 OK", HEADERS)
    return [BODY]
