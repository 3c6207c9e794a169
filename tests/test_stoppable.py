"""Calls in a process that can be stopped: limits of time and memory, crashes, the end."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest
from support.commands import ROOT

from aocr.server.decoders import Busy, Decoders
from ocr_simple.stoppable import Killed, StoppableProcess, Stopped

MEMORY = 300 << 20


def add(a, b):
    return a + b


def compute(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return "done"


def allocate(size):
    return len(bytes(size))


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def end_itself(number):
    os.kill(os.getpid(), number)


def warn():
    warnings.warn("odd file", stacklevel=1)
    logging.getLogger("PIL.TiffImagePlugin").error("odd file")


def niceness():
    return os.nice(0)


@pytest.fixture
def process():
    process = StoppableProcess(0.2, MEMORY, niceness=3)
    yield process
    process.close()


def test_results_and_errors_come_back(process):
    assert process.run(60, add, 1, 2) == 3
    with pytest.raises(TypeError, match="unsupported operand"):
        process.run(60, add, 1, "2")
    assert process.run(60, niceness) >= 3


def test_a_call_that_takes_too_long_is_stopped_and_the_next_one_is_not(process):
    assert process.run(60, compute, 0.1) == process.run(60, compute, 0.15) == "done"
    with pytest.raises(Stopped, match=r"takes over 0\.2 s"):
        process.run(60, compute, 60)
    assert process.run(60, add, 1, 2) == 3


def test_a_call_that_waits_is_stopped_too(process):
    with pytest.raises(Stopped, match="takes over"):
        process.run(0.5, time.sleep, 60)
    assert process.run(60, add, 1, 2) == 3


def test_memory_is_limited(process):
    with pytest.raises(MemoryError):
        process.run(60, allocate, 2 * MEMORY)
    assert process.run(60, allocate, 1000) == 1000


def test_a_crash_ends_only_the_call(process):
    with pytest.raises(Stopped, match="its process crashed"):
        process.run(60, crash)
    assert process.run(60, add, 1, 2) == 3


def test_a_process_that_is_ended_from_outside_is_told_from_a_crash(process):
    with pytest.raises(Killed, match="ended from outside"):
        process.run(10, end_itself, signal.SIGKILL)
    assert process.run(10, add, 1, 2) == 3


def test_a_process_that_was_ended_between_two_calls_is_replaced(process):
    os.kill(process.run(10, os.getpid), signal.SIGKILL)
    process._process.join(20)
    assert process.run(10, add, 1, 2) == 3


def test_warnings_of_decoders_are_not_shown():
    code = (
        "from ocr_simple.stoppable import StoppableProcess; from tests.test_stoppable import warn; "
        "process = StoppableProcess(5, 1 << 30); process.run(10, warn); process.close()"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")


def test_a_command_can_end_without_waiting_for_handlers():
    code = (
        "import atexit, time; from ocr_simple import interrupts; interrupts.end_command(5); "
        "atexit.register(time.sleep, 60); interrupts.start_command(); print('said'); "
        "interrupts.end_command(3)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (found.returncode, found.stdout) == (3, "said\n")


def test_closing_ends_a_call_of_another_thread(process):
    ended = []

    def wait():
        with pytest.raises(Stopped):
            process.run(60, time.sleep, 60)
        ended.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    process.close()
    thread.join(10)
    assert ended and ended[0] - start < 5


def test_an_interrupted_call_does_not_answer_the_next_one(process, monkeypatch):
    poll = process._connection.poll

    def interrupted(_):
        poll(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(process._connection, "poll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        process.run(60, add, 1, 1)
    assert process.run(60, add, 5, 5) == 10


def test_a_script_ends_though_its_process_ignores_sigterm(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import time\nfrom ocr_simple.stoppable import StoppableProcess\n"
        "if __name__ != '__main__':\n    raise ValueError('imported in the process')\n"
        "process = StoppableProcess(1, 1 << 30)\nprint(process.run(60, abs, -5), flush=True)\n"
    )
    command = [sys.executable, str(script)]
    found = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, b"5\n", b"")


def test_an_image_whose_processes_are_ended_from_outside_may_be_sent_again():
    async def decode():
        decoders = Decoders(max_pixels=1000, patience=20)
        try:
            with pytest.raises(Busy, match="try again later"):
                await decoders.decode(decoders.turns(), end_itself, signal.SIGKILL)
        finally:
            decoders.close()

    asyncio.run(decode())
