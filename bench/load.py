"""Measures the server under load: one client, 32 of them with and without batches, and too many.

    apt-get install wrk
    python bench/load.py --seconds 60 --requests 50000
    python bench/load.py --seconds 20 --compare 5

wrk sends requests over a real socket, on the same cores as the server. Each image shows another
number, and its file is named after it: a text that belongs to another request's image is
recognised, and counted as swapped.

With --compare, three servers of one model run: of its SavedModel with TensorFlow, and of its file
with ONNX Runtime, in 32 and in 8 bits. They are under load in turns, so that other work slows all
of them. Processor time counts less of that work than the clock does.
"""

import contextlib
import io
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.serving import serving

from aocr import export
from inference import Recognizer
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import Drawing
from ocr_simple.runs.model_files import find_model

SCRIPT = r"""
local requests, number = dofile("REQUESTS"), 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() right, swapped, refused, other = 0, 0, 0, 0 end
function request() number = number % #requests + 1; return requests[number] end
function response(status, headers, body)
  if status == 429 then refused = refused + 1
  elseif status ~= 200 then other = other + 1
  else
    local name, text = body:match('"name": *"(%d+)%.png"'), body:match('"text": *"(%d*)"')
    if not name or not text then other = other + 1
    elseif name == text then right = right + 1
    else swapped = swapped + 1 end
  end
end
function done(summary, latency)
  local total = {right = 0, swapped = 0, refused = 0, other = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(total) do total[name] = total[name] + thread:get(name) end
  end
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format("FOUND %d %d %d %d %d %f %f %f", total.right, total.swapped,
    total.refused, total.other, lost, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""
ROW = "| {} | {:,.0f} | {:.1f} | {:.1f} | {:,} | {} | {} | {} | {} |"


@dataclass(frozen=True)
class Options:
    """Put a server under load."""

    model: str = "digits"
    """A shipped model's name, a model file, or a run folder."""
    seconds: int = 60
    """Seconds of each load."""
    requests: int = 50_000
    """Requests to answer before memory is compared."""
    compare: int = 0
    """Only compare TensorFlow with ONNX Runtime, in 32 and in 8 bits, with 32 clients: the number
    of turns that each has."""


def images(model: str, count: int = 200) -> dict[str, bytes]:
    """Distinct lines of five digits that the model reads rightly: PNG files by their texts."""
    font = next(f for f in find_fonts(("trdg",)) if f.endswith("OpenSans-Regular.ttf"))
    numbers = [f"{n:05}" for n in np.random.default_rng(0).choice(100_000, 2 * count, False)]
    files = {}
    for number in numbers:
        drawn, file = draw(number, font, Drawing(), 0), io.BytesIO()
        assert drawn is not None
        drawn.save(file, "png")
        files[number] = file.getvalue()
    read = Recognizer.load(model).read(list(files.values()))
    same = [number for number, line in zip(files, read) if line.text == number]
    return {number: files[number] for number in same[:count]}


def as_lua(files: dict[str, bytes], folder: Path) -> Path:
    """A script for wrk whose requests upload these files."""

    def quoted(data: bytes) -> str:
        return '"' + "".join(f"\\{byte:03}" for byte in data) + '"'

    requests = []
    for number, data in files.items():
        body = (
            b'--b\r\nContent-Disposition: form-data; name="image"; filename="'
            + f'{number}.png"\r\n\r\n'.encode() + data + b"\r\n--b--\r\n"
        )  # fmt: skip
        head = (
            "POST /read HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests.append(quoted(head.encode() + body))
    (folder / "requests.lua").write_text("return {" + ",\n".join(requests) + "}")
    script = folder / "load.lua"
    script.write_text(SCRIPT.replace("REQUESTS", str(folder / "requests.lua")))
    return script


def load(address: str, script: Path, clients: int, seconds: int) -> list[float]:
    """right, swapped, refused (429), other and lost answers; right ones/s; p50 and p99 in ms."""
    command = ["wrk", f"-t{min(2, clients)}", f"-c{clients}", f"-d{seconds}s", "--timeout=30s"]
    done = subprocess.run(
        [*command, "-s", str(script), address], capture_output=True, text=True, check=True
    )
    found = re.search(r"FOUND (.*)", done.stdout)
    assert found, done.stdout + done.stderr
    *counts, duration, p50, p99 = map(float, found[1].split())
    return [*counts, counts[0] / duration, p50, p99]


def family(process: int) -> list[psutil.Process]:
    """A process, those that it started, those that they started, and so on."""
    first = psutil.Process(process)
    return [first, *first.children(recursive=True)]


def memory_of_all(process: subprocess.Popen) -> int:
    """The memory in MB of a process and of those that it started; what they share counts once."""
    total = 0
    for member in family(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended
            total += member.memory_full_info().pss
    return total // 1024**2


def processor_seconds(process: subprocess.Popen) -> float:
    """What a server and the processes that it started have used, as long as none has ended."""
    times = [member.cpu_times() for member in family(process.pid)]
    return sum(each.user + each.system for each in times)


def compare(options: Options) -> None:
    """Print a table of the servers under load in turns."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as servers:
        folder = Path(name)
        export.export(find_model(options.model), folder / "model", ["savedmodel"])
        script = as_lua(images(options.model), folder)
        file = f"--model={find_model(options.model)}"
        given = {
            "SavedModel, TensorFlow": [str(folder / "model")],
            "model file, ONNX Runtime": [file, "--engine=onnx"],
            "model file, ONNX Runtime, 8 bits": [file, "--engine=int8"],
        }
        served = {title: servers.enter_context(serving(*what)) for title, what in given.items()}
        rates: dict[str, list[float]] = {title: [] for title in served}
        costs: dict[str, list[float]] = {title: [] for title in served}
        for turn in range(options.compare + 1):
            for title, (process, client) in served.items():
                before = processor_seconds(process)
                right, swapped, refused, other, lost, rate, *_ = load(
                    str(client.base_url), script, 32, options.seconds
                )
                assert not swapped + refused + other + lost, title
                if turn:  # the first one is slow
                    rates[title].append(rate)
                    costs[title].append(1000 * (processor_seconds(process) - before) / right)
    print("| server | right/s | processor ms an answer | right/s of each turn |\n|---|---|---|---|")
    for title in served:
        each = ", ".join(f"{rate:,.0f}" for rate in rates[title])
        rate, cost = statistics.median(rates[title]), statistics.median(costs[title])
        print(f"| {title} | {rate:,.0f} | {cost:.2f} | {each} |")


def main(options: Options) -> None:
    """Print a Markdown table. Raises ValueError."""
    if not shutil.which("wrk"):
        raise ValueError("wrk is not installed; apt-get install wrk")
    if options.compare:
        compare(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export.export(find_model(options.model), folder / "model", ["savedmodel"])
        script = as_lua(images(options.model), folder)
        print("| load | right/s | p50 ms | p99 ms | right | swapped | 429 | other | lost |")
        print("|---|---|---|---|---|---|---|---|---|")

        def row(title: str, client: httpx.Client, clients: int, seconds: int) -> int:
            found = load(str(client.base_url), script, clients, seconds)
            counts = list(map(int, found[:5]))
            print(ROW.format(title, *found[5:], *counts), flush=True)
            return counts[0]

        with serving(folder / "model", "--batch", "1") as (_, client):
            row("32 clients, batches off", client, 32, options.seconds)
        with serving(folder / "model") as (process, client):
            row("1 client", client, 1, max(5, options.seconds // 4))
            done, sizes = 0, []
            while done < options.requests:
                done += row("32 clients", client, 32, options.seconds)
                sizes.append(memory_of_all(process))
            row("600 clients", client, 600, max(5, options.seconds // 4))
            row("1 client, after that", client, 1, 5)
            now = memory_of_all(process)
            print(f"\nMB of the server's processes after each load of 32: {sizes}; now {now}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"load.py: {error}", file=sys.stderr)
        sys.exit(2)
