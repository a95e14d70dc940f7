"""A real `mlworkflow serve`: clients of the Open Inference Protocol, keys, an end in order, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import numpy as np
import pytest

from mlworkflow.core import paths
from mlworkflow.recording.reading import read
from mlworkflow.runtime import load
from tests.conftest import ROOT
from tests.test_bundle import customers, make, question

ROW = {"age": 31.0, "paid": 52.5, "plan": "basic", "since": "2024-02-01"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    with contextlib.chdir(folder):
        make(question(), customers())
    return folder


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """Yield a server on a free port, and the port, when it answers; it is ended in the end."""
    command = [sys.executable, "-m", "mlworkflow.cli", "serve", "--bundle", str(folder / paths.BUNDLE), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*command, *options], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            said = "".join(iter(server.stdout.readline, "Ctrl-C ends it.\n"))
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", said)[1])
            await_answer(port)
            yield server, port
        finally:
            server.terminate()


def await_answer(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            ask(port, "/v2/health/ready")
            return
        time.sleep(0.1)
    raise AssertionError("it does not answer")


def ask(port: int, path: str, body: object = None, **headers: str) -> dict:
    content = None if body is None else json.dumps(body).encode()
    told = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content, told)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def refused(port: int, path: str, body: object = None, **headers: str) -> tuple[int, Message, str]:
    """Return (status, headers, detail) of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as found:
        ask(port, path, body, **headers)
    with found.value as error:
        assert error.headers["content-type"] == "application/problem+json"
        return error.code, error.headers, json.load(error)["detail"]


def everything(client: socket.socket) -> bytes:
    """Return an answer up to the end of its document."""
    client.settimeout(20)
    got = b""
    while not got.endswith(b"}") and (more := client.recv(65536)):
        got += more
    return got


def demand_problem(answer: bytes, status: int, words: str) -> None:
    head, _, content = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].split()[1] == str(status)
    assert {"content-type: application/problem+json", "x-content-type-options: nosniff"} <= set(lines)
    told = json.loads(content)
    assert told["status"] == status
    assert words in json.dumps(told)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def server(folder):
    with serving(folder, "--workers", "2", "--log-folder", str(folder / "log")) as (_, port):
        yield port


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of gevent
def test_tritons_client_gets_what_the_model_says(server, folder, binary):
    from tritonclient import http as triton

    client = triton.InferenceServerClient(f"127.0.0.1:{server}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("churn")
    inputs = []
    for name, value in ROW.items():
        one = triton.InferInput(name, [3], "FP64" if isinstance(value, float) else "BYTES")
        values = np.array([value] * 3, dtype="float64" if isinstance(value, float) else "object")
        inputs.append(one.set_data_from_numpy(values, binary_data=binary))
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "prediction")]
    found = client.infer("churn", inputs, outputs=outputs)
    expected = load(folder / paths.BUNDLE).predict([ROW] * 3)
    assert found.as_numpy("probabilities").tolist() == [list(one["probabilities"].values()) for one in expected]
    words = [word.decode() if isinstance(word, bytes) else word for word in found.as_numpy("prediction")]
    assert words == [one["prediction"] for one in expected]
    client.close()


def test_what_is_answered_is_recorded_and_an_outcome_finds_it(server, folder):
    made = ask(server, "/predict", [ROW, {**ROW, "customer": "c7"}])["predictions"]
    assert ask(server, "/feedback", {"id": made[0]["id"], "outcome": "yes"})["taken"]
    time.sleep(0.5)
    found = {one.record.id: one.record for one in read(folder / "log")}
    assert found[made[1]["id"]].key == "c7"
    assert found[made[0]["id"]].inputs["age"] == 31.0


def test_metrics_add_up_over_the_workers(server):
    for _ in range(20):
        ask(server, "/predict", ROW)
    counts, end = [0.0], time.monotonic() + 20
    while len(counts) < 5 or len(set(counts[-4:])) > 1:  # a request is counted when its answer is sent
        assert time.monotonic() < end, f"the workers do not tell the same: {counts}"
        time.sleep(0.05)
        with urllib.request.urlopen(f"http://127.0.0.1:{server}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        counts.append(float(re.search(r'mlworkflow_requests_total\{route="/predict",status="200"\} (\S+)', text)[1]))
    assert counts[-1] >= 20


def test_a_client_that_is_slow_with_its_head_is_cut_off_and_others_are_answered(server):
    with socket.create_connection(("127.0.0.1", server)) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        assert ask(server, "/predict", ROW)["predictions"]
        demand_problem(everything(slow), 408, "head of a request")


HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"\x16\x03\x01\x02\r\n\r\n", 400, "must be HTTP/1.1"),
        (b"GET /\xff HTTP/1.1\r\n" + HEAD + b"\r\n", 400, "must be HTTP/1.1"),
        (b"POST /predict HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n", 400, "must be HTTP/1.1"),
        (b"POST /predict HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400, "HTTP"),
        (b"POST /predict HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 100_000, 431, "65,536 bytes"),
        (b"POST /v2/models/%ff%ed%a0%80/infer HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}", 404, "no model"),
        (b"POST /predict HTTP/1.1\r\n" + HEAD + b'Content-Length: 13\r\n\r\n{"\\ud800": 1}', 422, "field of the model"),
    ],
)
def test_what_is_no_request_gets_a_problem_document_too(server, sent, status, words):
    with socket.create_connection(("127.0.0.1", server)) as client:
        client.sendall(sent)
        demand_problem(everything(client), status, words)


def test_a_client_that_sends_too_much_reads_why_it_was_refused(server):
    for path in ("/predict", "/feedback"):
        status, _, detail = refused(server, path, "x" * 12_000_000)
        assert (status, "10,000,000 bytes" in detail) == (413, True)


@pytest.fixture(scope="module")
def locked(folder):
    """A server that asks for keys and answers when a prediction is on disk; its port, process and a key."""
    command = [sys.executable, "-m", "mlworkflow.cli", "key", "lena", "--file", str(folder / "keys.txt")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    options = ["--keys", str(folder / "keys.txt"), "--log", "sync", "--log-folder", str(folder / "synced")]
    with serving(folder, *options) as (server, port):
        yield port, server, re.search(r"once: (\S+)", made.stdout)[1]


def test_only_who_has_a_key_gets_in(locked):
    port, _, key = locked
    for headers in ({}, {"X-API-Key": "lena"}, {"Authorization": "Bearer " + key[:-1]}):
        assert refused(port, "/predict", ROW, **headers)[0] == 401
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        assert ask(port, "/predict", ROW, **headers)["predictions"]


def test_a_full_disk_under_the_log_is_told_and_passes(locked):
    port, server, key = locked
    worker = next(pid for pid in children(server.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text())
    ask(port, "/predict", ROW, **{"X-API-Key": key})
    free = resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        status, headers, detail = refused(port, "/predict", ROW, **{"X-API-Key": key})
        assert (status, headers["retry-after"]) == (503, "5")
        assert detail == "The prediction could not be recorded. Ask again."
        assert refused(port, "/v2/health/ready")[0] == 503
        assert ask(port, "/v2/health/live")["live"]
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, free)
    await_answer(port)
    assert ask(port, "/predict", ROW, **{"X-API-Key": key})["predictions"]


def test_what_was_begun_is_finished_when_the_server_is_asked_to_end(folder, tmp_path):
    answered, failed = [], []

    def client(port: int) -> None:
        try:
            while True:
                answered.append(ask(port, "/predict", ROW)["predictions"][0]["id"])
        except urllib.error.HTTPError as error:
            failed.append(error)
        except OSError:  # no new connection is taken
            return

    with serving(folder, "--log-folder", str(tmp_path / "log")) as (server, port):
        clients = [threading.Thread(target=client, args=(port,)) for _ in range(4)]
        for one in clients:
            one.start()
        time.sleep(0.5)
        server.terminate()
        assert server.wait(timeout=40) == 0
    for one in clients:
        one.join()
    assert failed == []
    assert len(answered) > 10
    assert set(answered) <= {one.record.id for one in read(tmp_path / "log")}


def test_workers_end_when_their_parent_is_killed(folder, tmp_path):
    with serving(folder, "--workers", "2", "--log-folder", str(tmp_path / "log")) as (server, _):
        workers = [pid for pid in children(server.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
        server.kill()
    assert len(workers) == 2
    for _ in range(200):
        if all(map(is_gone, workers)):
            return
        time.sleep(0.1)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    raise AssertionError("the workers live on")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "so keys must be asked for"),
        (["--workers", "0", "--share", "2"], "--workers must be 1 to 64"),
        (["--shadow"], "need a --challenger"),
        (["--port", "99999"], "--port must be 0 to 65535"),
    ],
)
def test_what_is_not_safe_or_means_nothing_is_refused(folder, options, words):
    command = [sys.executable, "-m", "mlworkflow.cli", "serve", "--bundle", str(folder / paths.BUNDLE), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
