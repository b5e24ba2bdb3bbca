"""What several test files share: the Fortran programs, built once, and a web server on this machine."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# The same examples every time, so that a change is judged by what it changed; others with HYPOTHESIS_PROFILE=random.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("random", derandomize=False)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def programs(tmp_path_factory) -> Path:
    """Folder with the programs `merger` and `shape`, built as the workflow builds them."""
    build = tmp_path_factory.mktemp("build")
    beside = Path(sys.executable).with_name("cmake")
    cmake = str(beside) if beside.is_file() else shutil.which("cmake")
    for command in (["-S", str(ROOT), "-B", str(build), "-DGALCLASS_PROGRAMS=ON"], ["--build", str(build)]):
        done = subprocess.run([cmake, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "bin"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        try:
            self.server.pages[self.path.split("/")[1].split("?")[0]](self)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client gave up, as it may

    def log_message(self, *args):
        pass

    def send(self, body=b"", code=200, length=None, **headers):
        """A whole answer; with `length` it promises another number of bytes."""
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def web(monkeypatch):
    """A server on this machine: it answers by `pages`, which the test sets: first part of a path -> f(handler).

    It has a `url`, `asked` (the paths of all requests so far), `closing` (an event, set when the test is over) and
    `stop()`.
    """
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.pages, server.asked, server.closing = {}, [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop():
        server.closing.set()
        server.shutdown()
        server.server_close()

    server.stop = stop
    yield server
    if not server.closing.is_set():
        stop()
