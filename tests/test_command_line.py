"""The options of every command: grouped help, ranges, and the names that they have always had."""

import dataclasses
import re
import shlex

import pytest
from support.in_process import run_aocr, run_inference, run_train

from aocr.cli import COMMANDS
from aocr.options import (
    AocrTrainOptions,
    DatasetOptions,
    ExportOptions,
    PredictOptions,
    ServeOptions,
    TestOptions,
)
from ocr_simple.command_line import groups_of, parse
from ocr_simple.options import InferenceOptions, TrainOptions

LINES = (
    "--alphabet ascii --text-source strings --min-length 2 --max-length 9 --words 3 --strings 12 "
    "--strings-file s.txt --language fr --case upper --fonts matplotlib --size 40 "
    "--background-type 3 --text-color #000000 --character-spacing 1 --margins 1 2 3 4 --photo 0.4 "
    "--recipe mixed --elastic 0.03 --skewing-angle 1 --random-skew --blur 1 --random-blur "
    "--distorsion-type 1 --distorsion-orientation 1 --width 100 --alignment 2 --orientation 1 "
    "--space-width 0.5 --fit --word-split --image-dir there --stroke-width 1 --stroke-fill #111111 "
    "--rotation 1 --shift 0.1 --shear 0.1 --zoom 0.1 --stretch 0.1 --spacing 1 "
)
TRAINING = (
    f"{LINES} --validation b --validation-share 0.2 --mix-generated 0.5 --init-from digits "
    "--architecture fine --rnn-units 8 --height 48 --color --attn-num-hidden 8 "
    "--attn-num-layers 1 --target-embedding-size 4 --use-gru --max-prediction 9 --steps 9 "
    "--num-epoch 2 --batch-size 8 --optimizer sgd --learning-rate 0.1 --mixed-precision off "
    "--final-rate 0.3 --warmup 7 --weight-decay 0.1 --clip-norm 2 --average 0.5 --shares 2 "
    "--model-dir elsewhere --no-resume --seed 5 --workers 99 --interval 7 --validation-lines 9 "
    "--held-out none --patience 3 --max-width 9 --max-height 8 --worst-fonts 1 "
)
LOG = "--log-path x.log --gpu-id 0 "
READING = "--format json --lexicon w.txt --pattern x --min-confidence 0.5 --beam-width 4 "
BEAM = "--runner DirectRunner --runner-options a=b --shards 2 "
# Every option before `rnn` became `context` and `weight` `stroke_weight`, with a value that is not
# its default.
BEFORE = {
    TrainOptions: f"{TRAINING} --dataset a --head attention",
    InferenceOptions: f"{READING} --model text",
    DatasetOptions: f"{LINES} {BEAM} --no-force-uppercase --save-filename --skip-bad --log-step 9 "
    "--generate 5 --vary --held-out none --seed 5 --color --workers 99",
    AocrTrainOptions: f"{TRAINING} {LOG} --head ctc --full-ascii --no-gradient-clipping",
    TestOptions: f"{LOG} --model text --output-dir there --visualize --no-distance",
    PredictOptions: f"{READING} {BEAM} {LOG} --model text --output there",
    ExportOptions: f"{LOG} --format onnx --model text",
    ServeOptions: "--name x --host ::1 --port 1 --token x --batch 8 --max-body 9 --max-images 9 "
    "--max-pixels 9 --max-waiting 9 --timeout 9",
}
NEW = {"context", "stroke_weight"} | {
    "labels_from_names", "clean_labels", "label_encoding", "skip_bad", "data_changed",
    "architecture", "auto", "minutes", "robust_loss",
    "page", "orientation", "output_file", "language_model", "safe_tsv", "max_pixels", "max_columns",
    "max_request_columns", "max_waiting_columns", "max_connections", "max_bodies", "grace",
    "allowed_host", "pattern", "lexicon", "against", "preview", "crops",
    "engine", "alternatives",
}  # fmt: skip
ARGUMENTS = {  # which have no name on the command line
    TrainOptions: set(),
    InferenceOptions: {"paths"},
    DatasetOptions: {"annotations", "output"},
    AocrTrainOptions: {"dataset"},
    TestOptions: {"dataset"},
    PredictOptions: {"paths"},
    ExportOptions: {"output"},
    ServeOptions: {"folder"},
}
BOTH_WAYS = {
    TrainOptions: "color fit random-blur random-skew resume use-gru word-split",
    DatasetOptions: "color fit force-uppercase random-blur random-skew save-filename skip-bad vary "
    "word-split",
    AocrTrainOptions: "color fit full-ascii gradient-clipping random-blur random-skew resume "
    "use-gru word-split",
    TestOptions: "distance visualize",
}
ALIASES = [
    (TrainOptions, "--job-dir", "model_dir"),
    (TrainOptions, "--initial-learning-rate", "learning_rate"),
    (TrainOptions, "--max-gradient-norm", "clip_norm"),
    (TrainOptions, "--steps-per-checkpoint", "interval"),
    (InferenceOptions, "--model-dir", "model"),
    (TestOptions, "--model-dir", "model"),
    (TestOptions, "--job-dir", "model"),
    (PredictOptions, "--model-dir", "model"),
    (PredictOptions, "--job-dir", "model"),
    (ExportOptions, "--model-dir", "model"),
    (ExportOptions, "--job-dir", "model"),
]


def name(options: type) -> str:
    return options.__name__


def entries(help_text: str) -> list[tuple[set[str], str]]:
    """(names, explanation) of each option that help lists in one column."""
    found: list[list[str]] = []
    for line in help_text.splitlines():
        if re.match("  --[a-z]", line):
            found.append([])
        if line.startswith("  ") and found:
            found[-1].append(line.strip())
    names = [set(re.findall(r"--[a-z-]+", entry[0].split("  ")[0])) for entry in found]
    return [(each, " ".join(entry)) for each, entry in zip(names, found)]


# --- help -------------------------------------------------------------------------------------


@pytest.fixture
def printed(capsys, monkeypatch):
    """What a command prints for some arguments: help, in one column."""
    monkeypatch.setenv("COLUMNS", "100")

    def of(options: type, argument: str) -> str:
        with pytest.raises(SystemExit) as end:
            parse(options, [argument])
        assert end.value.code == 0
        return capsys.readouterr().out

    return of


def test_help_of_train_lists_at_most_50_options(printed):
    out = printed(TrainOptions, "--help")
    listed = entries(out)
    assert 30 <= len(listed) <= 50
    names = set().union(*(names for names, _ in listed))
    assert {"--dataset", "--alphabet", "--context", "--head", "--steps"} <= names
    assert f"({len(options_of(TrainOptions)) - len(listed)} more): --help-all" in out


def options_of(options):
    """The fields that are options: all but `given`, the names of those that were typed."""
    return [field for field in dataclasses.fields(options) if field.name != "given"]


@pytest.mark.parametrize("options", BEFORE, ids=name)
def test_help_all_lists_every_option_with_its_default_and_why(options, printed):
    listed = entries(printed(options, "--help-all"))
    for field in options_of(options):
        if field.name in ARGUMENTS[options]:
            continue
        option = "--" + field.name.replace("_", "-")
        (entry,) = [entry for names, entry in listed if option in names]
        explained = re.sub(r"^(--\S+( \S+)?(, )?)+|\(default: .*", "", entry)
        assert len(explained.split()) >= 3, f"{option} is not explained"
        if field.default not in ((), None, "") and isinstance(field.default, (int, float, str)):
            assert re.search(rf"\(default: '?{re.escape(str(field.default))}'?\)", entry), option
    assert len(listed) == len(options_of(options)) - len(ARGUMENTS[options])


@pytest.mark.parametrize("options", BEFORE, ids=name)
def test_every_group_of_options_has_a_heading(options):
    for group in groups_of(options):
        assert (group.__doc__ or "").strip().endswith("."), group


def test_help_lists_a_name_before_its_aliases(printed):
    assert "  --learning-rate FLOAT, --initial-learning-rate FLOAT" in printed(
        TrainOptions, "--help"
    )
    assert "  --model STR, --model-dir STR, --job-dir STR" in printed(InferenceOptions, "--help")


def test_only_training_takes_its_alphabet_from_labels(printed):
    shown = " ".join(printed(TrainOptions, "--help").split())
    assert "auto: the characters of the labels" in shown
    assert "auto:" not in printed(DatasetOptions, "--help")


def test_help_of_aocr_lists_its_commands(capsys):
    assert run_aocr("--help") == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {command} +\w", out, re.M) for command in COMMANDS)
    assert run_aocr("") == 2 and "name a command" in capsys.readouterr().err
    assert run_aocr("tset") == 2 and "no command 'tset'" in capsys.readouterr().err


# --- the names of before ----------------------------------------------------------------------


@pytest.mark.parametrize("options", BEFORE, ids=name)
def test_every_option_of_before_is_still_accepted(options):
    found = parse(options, shlex.split(BEFORE[options], comments=False))
    same = {f.name for f in dataclasses.fields(options) if getattr(found, f.name) == f.default}
    new = NEW | ({"model"} if options is ServeOptions else set())
    assert same - new == ARGUMENTS[options]
    if options is TrainOptions:
        assert found.dataset == ("a",) and found.margins == (1, 2, 3, 4)


@pytest.mark.parametrize("options", BOTH_WAYS, ids=name)
def test_every_switch_of_before_can_be_turned_off_and_on(options):
    switches = BOTH_WAYS[options].split()
    for prefix, value in (("--no-", False), ("--", True)):
        found = parse(options, [f"{prefix}{switch}" for switch in switches])
        assert {getattr(found, switch.replace("-", "_")) for switch in switches} == {value}


@pytest.mark.parametrize(("options", "alias", "field"), ALIASES)
def test_an_alias_means_the_same(options, alias, field):
    value = "7" if field in ("interval", "clip_norm", "learning_rate") else "x"
    named = parse(options, ["--" + field.replace("_", "-"), value])
    assert getattr(parse(options, [alias, value]), field) == getattr(named, field)


@pytest.mark.parametrize(
    ("gone", "instead"),
    [
        ("--rnn lstm", "--context"),
        ("--rnn=none", "--context: conv (formerly none)"),
        ("--weight 0.5", "--stroke-weight"),
        ("--letters", "--alphabet"),
        ("--symbols", "--alphabet"),
    ],
)
@pytest.mark.parametrize("run", [run_train, lambda *words: run_aocr("train", *words)])
def test_options_that_are_gone_end_with_status_2(run, gone, instead, tmp_path, capsys):
    assert run(*gone.split(), "--model-dir", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert gone.split()[0] in error and instead in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("context", ["conv", "attention", "lstm", "gru"])
def test_context_takes_the_place_of_rnn(context):
    assert parse(TrainOptions, ["--context", context]).spec().context == context
    assert parse(TrainOptions, ["--stroke-weight", "0.5"]).stroke_weight == 0.5


# --- ranges -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--steps 0", "--steps 0: give a number of at least 1"),
        ("--num-epoch -1", "--num-epoch -1: give a number of at least 0"),
        ("--batch-size 0", "--batch-size 0: give a number of at least 1"),
        ("--interval 0", "--interval 0: give a number of at least 1"),
        ("--validation-lines 0", "--validation-lines 0: give a number of at least 1"),
        ("--workers -1", "--workers -1: give a number of at least 0"),
        ("--patience -1", "--patience -1: give a number of at least 0"),
        ("--warmup -1", "--warmup -1: give a number of at least 0"),
        ("--photo 1.5", "--photo 1.5: give a number from 0 to 1"),
        ("--stroke-weight 2", "--stroke-weight 2.0: give a number from 0 to 1"),
        ("--rotation -1", "--rotation -1.0: give a number from 0 to 180"),
        ("--rotation inf", "--rotation inf: give a number from 0 to 180"),
        ("--zoom 400", "--zoom 400.0: give a number from 0 to 3"),
        ("--elastic nan", "--elastic nan: give a number from 0 to 10"),
        ("--space-width -1", "--space-width -1.0: give a number from 0 to 1000000"),
        ("--validation-share 0", "--validation-share 0.0: give a number over 0 and under 1"),
        ("--validation-share 1", "--validation-share 1.0: give a number over 0 and under 1"),
        ("--mix-generated 1", "--mix-generated 1.0: give a number of at least 0 and under 1"),
        ("--average 1", "--average 1.0: give a number of at least 0 and under 1"),
        ("--final-rate 2", "--final-rate 2.0: give a number from 0 to 1"),
        ("--clip-norm nan", "--clip-norm nan: give a number from 0 to 1000000"),
        ("--weight-decay -1", "--weight-decay -1.0: give a number from 0 to 1000000"),
        ("--max-width -1", "--max-width -1: give a number of at least 0"),
        ("--seed -1", "--seed -1: give a number of at least 0"),
    ],
)
def test_an_option_out_of_its_range_ends_training_with_status_2(options, message, tmp_path, capsys):
    assert run_train(*options.split(), "--model-dir", tmp_path / "run") == 2
    assert capsys.readouterr().err == f"train.py: {message}\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train --interval 0", "--interval 0: give a number of at least 1"),
        ("train --steps 0", "--steps 0: give a number of at least 1"),
        ("dataset --generate -1", "--generate -1: give a number of at least 1"),
        ("dataset --generate 0", "--generate 0: give a number of at least 1"),
        ("dataset --workers 0", "--workers 0: give a number of at least 1"),
        ("dataset --shards 0", "--shards 0: give a number of at least 1"),
        ("predict --beam-width 0", "--beam-width 0: give a number of at least 1"),
        ("predict --min-confidence 2", "--min-confidence 2.0: give a number from 0 to 1"),
        ("serve --batch 0", "--batch 0: give a number of at least 1"),
        ("serve --timeout 0", "--timeout 0.0: give a number over 0"),
    ],
)
def test_an_option_out_of_its_range_ends_aocr_with_status_2(command, message, capsys):
    assert run_aocr(command) == 2
    assert f"aocr {command.split()[0]}: {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--beam-width 0", "--beam-width 0: give a number of at least 1"),
        ("--min-confidence -0.1", "--min-confidence -0.1: give a number from 0 to 1"),
        ("--min-confidence nan", "--min-confidence nan: give a number from 0 to 1"),
        ("--format xml", "xml"),
        ("--nonsense", "--nonsense"),
    ],
)
def test_an_option_out_of_its_range_ends_reading_with_status_2(options, message, capsys):
    assert run_inference(*options.split()) == 2
    out, error = capsys.readouterr()
    assert message in error and not out
