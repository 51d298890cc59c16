"""Whether `drifa serve` answers many clients for long: no answer lost or mixed up, and no memory that grows.

    python benchmarks/serve_load.py                             # ten minutes, eight clients
    python benchmarks/serve_load.py --seconds 20 --clients 4
    python benchmarks/serve_load.py --model models/quick        # a run or model folder of the paired phantom

The server is a process of its own; the clients are threads. The right answers are those of `drifa.load` in this process. It
ends with an error where an answer is not the right one, where a request gets a status that is not due, or where SIGTERM loses a
request that was taken.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

import drifa
from drifa.config import make_config
from drifa.data import Study, make_phantom
from drifa.prediction.cases import Case
from drifa.training.train import train

NET = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
#: Seconds that a request of a server that ends may take, beyond which it counts as lost.
PATIENCE = 60
#: Two figures of one case differ by less.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Asked:
    """A request and what must come back: a status, and an answer if it is a good one."""

    kind: str
    files: dict[str, tuple[str, bytes]]
    status: int
    answer: Any = None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--model", type=Path, help="a model of the phantom; a tiny one is trained otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        study = make_phantom(Path(name) / "study", subjects=70, image_size=32)
        model = options.model or tiny(study, Path(name))
        requests = requests_of(model, study, options.clients)
        with server(model, queue=options.clients - 1, log=Path(name) / "log") as (process, address):
            found, wrong = Counter[tuple[str, int]](), list[str]()
            work(address, requests, min(5.0, options.seconds / 2), Counter(), wrong)
            before = resident(process.pid)
            work(address, requests, options.seconds, found, wrong)
            after = resident(process.pid)
            last = end(process, address, requests)
    for (kind, status), count in sorted(found.items()):
        print(f"{kind}: {count} times {status}")
    print(f"memory {before:.0f} MiB after the warm-up, {after:.0f} MiB at the end")
    print(f"requests that SIGTERM met: {', '.join(f'{count} times {what}' for what, count in sorted(last.items()))}")
    if not last.keys() & {"200", "503"}:
        wrong.append("SIGTERM met no request")
    if not any(kind == "good" and status == 200 for kind, status in found):
        wrong.append("no good request was answered")
    wrong += [f"SIGTERM: {what}" for what in last if what not in ("200", "503", "not taken")]
    if wrong:
        raise SystemExit("\n".join(wrong[:10]))


def tiny(study: Study, folder: Path) -> Path:
    """A model that is trained in seconds."""
    settings = {
        "data": {"study": [str(folder / "study")], "image_size": 32, "shift": 1},
        "model": {"backbone_args": NET},
        "train": {"epochs": 1, "members": 1, "batch_size": 16, "threads": 1, "accelerator": "cpu", "calibrate": False},
        "evaluate": {"passes": 3, "partners": 2, "resamples": 30},
    }
    return Path(train(make_config(settings), folder / "run", quiet=True).folder)


def requests_of(model: Path, study: Study, clients: int) -> list[list[Asked]]:
    """What each client sends: cases that no other client sends, whose answers all differ, and some that must be refused."""
    predictor, subjects = drifa.load(model, device="cpu"), study.subjects()
    found: list[list[Asked]] = []
    for client in range(clients):
        images = {
            name: study.image_path(int(subjects.image[client, column])) for column, name in enumerate(subjects.modalities)
        }
        mine = []
        for number, case in enumerate((images, *({name: path} for name, path in images.items()))):
            subject = f"{client}.{number}"
            told = json.loads(json.dumps(predictor.predict([Case(subject, case)]).cases[0].to_dict()))
            told["images"] = {name: path.name for name, path in case.items()}
            sent = {name: (path.name, path.read_bytes()) for name, path in case.items()}
            mine.append(Asked("good", {**sent, "subject": (None, subject.encode())}, 200, told))  # type: ignore[dict-item]
        first = next(iter(images))
        mine.append(Asked("no picture", {first: ("a.png", b"no picture")}, 422))
        mine.append(Asked("no modality", {"strange": ("a.png", images[first].read_bytes())}, 422))
        mine.append(Asked("empty form", {"subject": (None, b"")}, 422))  # type: ignore[dict-item]
        found.append(mine)
    answers = [one.answer["tasks"] for mine in found for one in mine if one.status == 200]
    assert not any(same(*pair) for pair in itertools.combinations(answers, 2)), "a mix-up of two cases would not be seen"
    return found


@contextmanager
def server(model: Path, queue: int, log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`drifa serve` with fewer places than clients, so that some are turned away."""
    command = [sys.executable, "-m", "drifa", "serve", str(model), "--port", "0", "--queue", str(max(1, queue))]
    with log.open("w") as target, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=target, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if "http://" not in line:
                raise SystemExit(f"the server did not start: {log.read_text()[-2000:]}")
            yield process, next(word for word in line.split() if word.startswith("http://"))
        finally:
            if process.poll() is None:
                process.kill()


def work(address: str, requests: Sequence[list[Asked]], seconds: float, found: Counter[Any], wrong: list[str]) -> None:
    """All clients for so many seconds; statuses are counted by kind of request, and what is not right is told."""
    end_at, lock = time.monotonic() + seconds, threading.Lock()

    def client(number: int) -> None:
        draw = random.Random(number)
        with httpx.Client(base_url=address, timeout=180) as http:
            while time.monotonic() < end_at:
                asked = draw.choice(requests[number])
                try:
                    response = http.post("/v1/predict", files=asked.files)
                except httpx.HTTPError as error:
                    with lock:
                        wrong.append(f"{asked.kind}: {error!r}")
                    continue
                again = response.headers.get("Retry-After")
                with lock:
                    found[asked.kind, response.status_code] += 1
                    if response.status_code not in (asked.status, 429, 503):
                        wrong.append(f"{asked.kind}: {response.status_code} {response.text[:200]}")
                    elif response.status_code != asked.status and again is None:
                        wrong.append(f"{asked.kind}: {response.status_code} without Retry-After")
                    elif asked.answer is not None and response.status_code == 200 and not same(response.json(), asked.answer):
                        wrong.append(f"{asked.kind}: another answer than that of {asked.answer['subject']}")
                if again is not None:
                    time.sleep(0.1)  # sooner than asked for: the server is to be under load

    _all(client, len(requests))


def same(told: Any, due: Any) -> bool:
    """Whether two answers are one: batches round otherwise than single cases, by far less than cases differ."""
    if isinstance(due, dict):
        return isinstance(told, dict) and told.keys() == due.keys() and all(same(told[key], due[key]) for key in due)
    if isinstance(due, list):
        return isinstance(told, list) and len(told) == len(due) and all(map(same, told, due))
    if isinstance(due, float):
        return isinstance(told, int | float) and math.isclose(told, due, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(told == due)


def end(process: subprocess.Popen[str], address: str, requests: Sequence[list[Asked]]) -> Counter[str]:
    """What becomes of requests that are there, or come, when the server is told to end."""
    found, lock, started = Counter[str](), threading.Lock(), threading.Barrier(len(requests) + 1)

    def client(number: int) -> None:
        good = itertools.cycle([asked for asked in requests[number] if asked.status == 200])
        with httpx.Client(base_url=address, timeout=PATIENCE) as http:
            started.wait()
            for asked in good:
                try:
                    response = http.post("/v1/predict", files=asked.files)
                    right = response.status_code != 200 or same(response.json(), asked.answer)
                    what = str(response.status_code) if right else "another answer"
                except httpx.ConnectError:
                    what = "not taken"
                except httpx.HTTPError as error:
                    what = repr(error)
                if what == "429":
                    continue
                with lock:
                    found[what] += 1
                if what != "200":
                    return

    clients = threading.Thread(target=_all, args=(client, len(requests)))
    clients.start()
    with httpx.Client(base_url=address, timeout=PATIENCE) as http:
        started.wait()
        while http.get("/metrics").text.endswith("drifa_waiting 0\n"):
            time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    clients.join()
    if process.wait(PATIENCE) not in (0, -signal.SIGTERM):
        found[f"exit code {process.returncode}"] += 1
    return found


def _all(client: Any, count: int) -> None:
    threads = [threading.Thread(target=client, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def resident(process: int) -> float:
    """Memory of a process, MiB; Linux alone tells."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
