"""The progress bar of a training."""

import re
from types import SimpleNamespace

import IPython
import pytest

from ocr_simple.runs.progress import Progress
from ocr_simple.runs.run_folder import RunFolder


def test_the_time_is_not_estimated_before_compiling_is_over(tmp_path, capsys):
    with Progress(400, 0, RunFolder(tmp_path)) as progress:
        before = capsys.readouterr().err
        progress.bar.start_t -= 15.0  # seconds that the first step took
        progress.step(1, 0.5, [])
        after = capsys.readouterr().err
        progress.step(2, 0.5, [])
        progress.bar.refresh()
        last = capsys.readouterr().err
    assert "0/400 [compiling]" in before
    assert "1/400 [00:00<?" in after
    assert not re.search(r"<\d+:\d+:\d+", last), "no estimate of hours"


@pytest.mark.parametrize("chief", [True, False])
def test_steps_are_counted_by_one_process_of_a_cluster(tmp_path, capsys, chief):
    with Progress(3, 0, RunFolder(tmp_path), chief) as progress:
        for step in (1, 2):
            progress.step(step, 0.5, [])
        progress.bar.refresh()
    assert ("2/3" in capsys.readouterr().err) == chief


@pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(kernel="a kernel")])
def test_a_notebook_shows_no_bar(tmp_path, capsys, monkeypatch, shell):
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    with Progress(3, 0, RunFolder(tmp_path)) as progress:
        progress.step(1, 0.5, [])
    assert ("1/3" in capsys.readouterr().err) == (not hasattr(shell, "kernel"))
