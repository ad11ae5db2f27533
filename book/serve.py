"""Serve the built book on this machine and open it: `make serve`."""

from __future__ import annotations

import sys
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HTML = Path(__file__).parent / "_build" / "html"
PORTS = range(8000, 8020)


class QuietHandler(SimpleHTTPRequestHandler):
    """Says nothing about each request."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def start_server() -> ThreadingHTTPServer:
    """A server on the first of PORTS that is free, reachable from this machine only."""
    for port in PORTS:
        try:
            return ThreadingHTTPServer(("127.0.0.1", port), partial(QuietHandler, directory=HTML))
        except OSError:
            continue
    raise OSError(f"ports {PORTS.start} to {PORTS.stop - 1} are all taken")


def main() -> None:
    if not (HTML / "index.html").exists():
        sys.exit("the book is not built yet: run `make book`")
    server = start_server()
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"The book is at {address} (stop with Ctrl+C)", flush=True)
    webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nStopped.")


if __name__ == "__main__":
    main()
