"""Settings of the environment that a command meets: it works, or says what to change."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.commands import ROOT, python, status_of

from aocr import cli
from ocr_simple import storage
from ocr_simple.command_line import parse
from ocr_simple.network import backend
from ocr_simple.options import InferenceOptions, TrainOptions
from ocr_simple.runs.config import check
from ocr_simple.runs.model_files import TEST_IMAGES

PHOTO = str(TEST_IMAGES / "sticker.png")


def first_line(done):
    """The message of a command that ended with status 2."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[0]


# --- Keras ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [["train.py"], ["inference.py", PHOTO, "--engine", "keras"], ["-m", "aocr", "diagnose", "."]],
)
def test_an_unknown_backend_is_named_with_the_fix(command):
    message = first_line(python(*command, KERAS_BACKEND="theano"))
    assert "KERAS_BACKEND=theano: no such backend; choose from tensorflow, jax, torch" in message


def test_a_command_without_keras_works_with_any_backend(labelled_folder, tmp_path):
    check = ["-m", "aocr", "check", str(labelled_folder), "--sheet", "None"]
    assert python(*check, KERAS_BACKEND="theano").returncode == 0


def test_a_backend_of_keras_json_is_named_with_its_file(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"backend": "theano"}')
    with pytest.raises(ValueError, match=r'keras\.json: "backend": "theano": no such backend'):
        backend.check_backend()


def test_a_backend_that_is_not_installed_is_named_with_the_fix(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="the package torch is not installed; install it, or uns"):
        backend.check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(ValueError, match=r"tensorflow is not installed; install requirements"):
        backend.check_backend()


@pytest.mark.long
def test_settings_of_keras_json_change_no_reading(tmp_path):
    (tmp_path / "keras.json").write_text(
        '{"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}'
    )
    usual = python("inference.py", PHOTO, "--format", "json")
    changed = python("inference.py", PHOTO, "--format", "json", KERAS_HOME=str(tmp_path))
    assert usual.returncode == changed.returncode == 0, changed.stderr
    assert changed.stdout == usual.stdout and "Traceback" not in changed.stderr


# --- matplotlib, encodings ------------------------------------------------------------------


def test_a_backend_of_matplotlib_that_does_not_exist_is_no_matter():
    program = (
        "import sys\n"
        "from ocr_simple.command_line import parse\n"
        "from ocr_simple.options import InferenceOptions\n"
        "parse(InferenceOptions, [])\n"
        "import ocr_simple.reports.charts\n"
    )
    done = python("-c", program, MPLBACKEND="nonsense")
    assert done.returncode == 0, done.stderr


def test_what_an_encoding_lacks_is_escaped_as_in_json():
    program = (
        "from ocr_simple.command_line import parse\n"
        "from ocr_simple.options import InferenceOptions\n"
        "from ocr_simple.reading_commands import format_line, piped\n"
        "from ocr_simple.text import Line\n"
        "parse(InferenceOptions, [])\n"
        "with piped():\n"
        "    for style in ('json', 'tsv'):\n"
        "        line = Line('\\u20ac5', .5, ())\n"
        "        print(format_line('\\u00fc \\U0001f600 \\udcff.png', line, style))\n"
    )
    done = python("-c", program, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    as_json, as_tsv = done.stdout.splitlines()
    assert json.loads(as_json)["path"] == "\u00fc \U0001f600 \udcff.png"
    assert json.loads(as_json)["text"] == "\u20ac5"
    assert as_tsv.split("\t")[:2] == [r"\u00fc \ud83d\ude00 \udcff.png", r"\u20ac5"]


def test_help_can_be_printed_in_ascii():
    assert python("train.py", "--help", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize("command", [["--help"], ["export", "--help"]])
def test_help_ends_quietly_if_its_reader_has_seen_enough(command):
    process = subprocess.Popen(
        [sys.executable, "-m", "aocr", *command], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


# --- outputs that cannot be written -----------------------------------------------------------


def test_a_folder_that_can_be_written_to_is_not_made(tmp_path):
    storage.check_writable(tmp_path / "a" / "b", "--output-dir")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file", "file/more/results"])
def test_a_folder_that_cannot_be_made_is_named_with_its_option(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=rf"^--output-dir {tmp_path}/file: is a file; name a fol"):
        storage.check_writable(tmp_path / name, "--output-dir")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(
        ValueError, match=r"cannot be written to \(Permission denied\); name another"
    ):
        storage.check_writable(tmp_path / "results", "--output-dir")


def test_training_finds_it_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=f"--model-dir {tmp_path}/file: is a file"):
        check(TrainOptions(model_dir=tmp_path / "file" / "run"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["test", "{folder}", "--model", "digits", "--output-dir", "file"],
            "--output-dir file: is",
        ),
        (["export", "file/exported", "--model", "digits"], "DIR file: is a file; name a folder"),
        (["dataset", "{folder}", "file/out.tfrecords"], "OUTPUT file: is a file; name a folder"),
        (["test", "{folder}", "--log-path", "file/x.log"], "--log-path file/x.log: cannot be"),
    ],
)
def test_commands_find_it_before_the_work(
    command, message, labelled_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    arguments = [word.format(folder=labelled_folder) for word in command]
    assert status_of(cli.main, arguments) == 2
    assert message in capsys.readouterr().err


def test_a_log_is_written_only_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert status_of(cli.main, ["test", "gone", "--model", "digits"]) == 2
    assert not list(tmp_path.iterdir())
    assert status_of(cli.main, ["test", "gone", "--model", "digits", "--log-path", "a.log"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


# --- options with several values ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["train", "--held-out", "none", "lines.tfrecords"], "lines.tfrecords"),
        (["train", "a.tfrecords", "--recipe", "photo", "b.csv"], "b.csv"),
        (["train", "--strings", "12", "13", "."], "."),
    ],
)
def test_a_data_set_that_an_option_would_take_is_refused(arguments, value, capsys):
    assert status_of(cli.main, arguments) == 2
    message = f"{value}: was taken as a value of {arguments[-3 if value != '.' else 1]}"
    assert message in capsys.readouterr().err


def test_scripts_without_arguments_take_any_value():
    options = parse(TrainOptions, ["--text-source", "strings", "--strings", "1", "a.txt"])
    assert options.strings == ("1", "a.txt")


# --- web addresses, Ctrl-C ------------------------------------------------------------------


def test_a_web_address_is_not_read_and_the_fix_is_named():
    done = python("inference.py", "https://example.org/a b.png")
    message = first_line(done)
    assert "https://example.org/a b.png: web addresses are not read; download it first" in message
    assert "curl -O 'https://example.org/a b.png'" in message


def test_each_page_and_orientation_is_an_option():
    options = parse(InferenceOptions, ["--page", "3", "--orientation", "auto"])
    assert (options.page, options.orientation) == (3, "auto")
    with pytest.raises(SystemExit):
        parse(InferenceOptions, ["--page", "0"])


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        ["inference.py", PHOTO, "--engine", "keras"],  # the one that takes seconds to import
        ["train.py", "--model-dir", "{}"],
        ["-m", "aocr", "export", "{}", "--model", "digits"],
    ],
)
@pytest.mark.parametrize("library", ["numpy", "tensorflow"])
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux")
def test_ctrl_c_in_the_first_seconds_shows_no_traceback(command, library, tmp_path):
    process = subprocess.Popen(
        [sys.executable, *(part.format(tmp_path / "new") for part in command)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while library not in Path(f"/proc/{process.pid}/maps").read_text():  # until it is imported
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=120)[1]
    assert "Traceback" not in error
    assert process.returncode in (0, 2) or (process.returncode, error[-12:]) == (
        130,
        "Interrupted\n",
    )
