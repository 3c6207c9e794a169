"""The server over a real socket: TensorFlow Serving's answers, uploads, limits, versions, stops."""

import base64
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml
from PIL import Image
from support import slow_images
from support.commands import ROOT
from support.in_process import run_aocr
from support.lines import OPEN_SANS
from support.serving import serving

from aocr.server.served_model import to_png
from aocr.server.uploads import Preparation
from aocr.server.versions import newest, read_about
from inference import Recognizer
from ocr_simple import images as imaging
from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import Drawing
from ocr_simple.runs.model_files import TEST_IMAGES

PREDICT = "/v1/models/aocr:predict"
FILES = sorted(p for p in TEST_IMAGES.iterdir() if p.suffix in {".png", ".jpg", ".gif", ".bmp"})
TOKEN = "a secret"
DIGITS = "--model=digits"  # starts sooner than a SavedModel


@pytest.fixture(scope="module")
def server(exported):
    """(process, client)."""
    with serving(exported) as started:
        yield started


@pytest.fixture(scope="module")
def client(server):
    return server[1]


@pytest.fixture(scope="module")
def strict():
    """A client of a server with low limits that needs a token."""
    limits = "--max-body 200000 --max-images 3 --max-pixels 300000 --max-waiting 3 --timeout 1"
    with serving(DIGITS, *limits.split(), OCR_TOKEN=TOKEN) as (_, client):
        client.headers["authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture(scope="module")
def lines():
    return dict(zip((p.name for p in FILES), Recognizer.load("digits").read(FILES)))


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


# --- TensorFlow Serving's API ------------------------------------------------------------------


def test_the_row_form_answers_with_predictions(client, lines):
    rows = [{"input": b64(FILES[0].read_bytes())}, b64(FILES[1].read_bytes())]
    found = client.post(PREDICT, json={"instances": rows}).json()["predictions"]
    for row, path in zip(found, FILES):
        assert row["output"] == lines[path.name].text
        assert row["probability"] == pytest.approx(lines[path.name].confidence, abs=1e-3)


def test_the_column_form_answers_with_outputs(client, lines):
    images = [b64(path.read_bytes()) for path in FILES]
    found = client.post(PREDICT, json={"inputs": {"input": images}}).json()["outputs"]
    assert found["output"] == [lines[path.name].text for path in FILES]
    single = client.post(PREDICT, json={"inputs": {"input": images[0]}}).json()["outputs"]
    assert single["output"] == lines[FILES[0].name].text and 0 <= single["probability"] <= 1


def test_no_content_type_is_needed(client):
    body = json.dumps({"instances": [b64(FILES[0].read_bytes())]}).encode()
    request = client.build_request("POST", PREDICT, content=body)
    request.headers.pop("content-type", None)
    assert client.send(request).status_code == 200


def test_the_signature_read_gives_characters(client, lines):
    request = {"signature_name": "read", "instances": [b64(FILES[0].read_bytes())]}
    row = client.post(PREDICT, json=request).json()["predictions"][0]
    line = lines[FILES[0].name]
    assert "".join(row["characters"]) == line.text
    assert row["starts"] == pytest.approx([c.start for c in line.characters], abs=0.1)


def test_status_and_metadata_are_those_of_tensorflow_serving(client):
    status = client.get("/v1/models/aocr").json()["model_version_status"][0]
    assert status["version"] == "1" and status["state"] == "AVAILABLE"
    assert client.get("/v1/models/aocr/versions/1").status_code == 200
    found = client.get("/v1/models/aocr/metadata").json()
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["input"]["dtype"] == "DT_STRING"
    assert set(signature["outputs"]) == {"output", "probability"}


@pytest.mark.parametrize(
    ("path", "content", "status", "message"),
    [
        (PREDICT, b"{", 400, "cannot be read"),
        (PREDICT, b"[]", 400, "not a JSON object"),
        (PREDICT, b"[" * 100_000, 400, "cannot be read"),
        (PREDICT, b'{"instances": []}', 400, "at least one image"),
        (PREDICT, b'{"instances": [3]}', 400, 'give {"b64"'),
        (PREDICT, b'{"instances": [{"picture": 3}]}', 400, "the only one is 'input'"),
        (PREDICT, b'{"instances": [{"b64": "&&&&"}]}', 400, "not base64"),
        (PREDICT, b'{"instances": [{"b64": "AAAA"}]}', 400, "image 0: not an image"),
        (PREDICT, b'{"instances": [{"b64": ""}]}', 400, "file is empty"),
        (PREDICT, b'{"inputs": {"b64": "AAAA"}, "instances": []}', 400, "either instances"),
        (PREDICT, b'{"signature_name": "x", "inputs": 1}', 400, "signature_name 'x'"),
        (PREDICT, b'{"signature_name": ["x"], "inputs": 1}', 400, "signature_name ['x']"),
        (PREDICT, b'{"signature_name": {"x": 1}, "inputs": 1}', 400, "signature_name {'x': 1}"),
        (PREDICT, b"[" + b"[]," * 1_000_000 + b"0]", 400, "not a JSON object"),
        (
            "/v1/models/other:predict",
            b"{}",
            404,
            "no model named 'other'; this server serves 'aocr'",
        ),
        ("/v1/models/aocr/versions/9:predict", b"{}", 404, "version 9 is not served; this"),
        ("/v1/models/aocr/versions/x:predict", b"{}", 400, "version"),
        ("/read", b"", 400, "file is empty"),
        ("/read", b"nothing", 400, "not an image"),
        ("/elsewhere", b"", 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_answered_with_what_is_wrong(client, path, content, status, message):
    answer = client.post(path, content=content)
    assert answer.status_code == status and message in answer.json()["error"]
    assert "Traceback" not in answer.text and "/home" not in answer.text


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (PREDICT, b'{"signature_name": "' + b"x" * 100_000 + b'"}'),
        (PREDICT, b'{"inputs": {"' + b"x" * 100_000 + b'": 1}}'),
        ("/v1/models/" + "x" * 10_000 + ":predict", b"{}"),
    ],
)
def test_what_was_sent_is_cut_in_the_answer(client, path, content):
    answer = client.post(path, content=content)
    assert answer.status_code in (400, 404) and len(answer.content) < 400


def form(client, name, charset=""):
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename=' + name
    body = head + b"\r\n\r\nno image\r\n--b--\r\n"
    kind = f"multipart/form-data; boundary=b{charset}"
    return client.post("/read", content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize("charset", ["utf-16", "undefined", "unicode_escape", "idna", "latin-1"])
def test_a_form_has_to_be_in_utf_8(client, charset):
    answer = form(client, b'"\\ud800.png"', f"; charset={charset}")
    assert answer.status_code == 400
    assert answer.json()["error"] == f"charset {charset}: a form has to be in UTF-8"
    assert form(client, b'"a.png"', '; charset="UTF-8"').json()["error"].startswith("a.png: not an")


def test_odd_file_names_cause_no_error(client):
    for name in (b'"\xed\xa0\x80.png"', b'"\xff\x1b[31m.png"', b'"' + b"n" * 3000 + b'"'):
        answer = form(client, name)
        assert answer.status_code == 400 and "not an image" in answer.json()["error"]
        assert "\x1b" not in answer.json()["error"] and len(answer.content) < 600


def test_what_follows_a_form_is_not_logged(server):
    process, client = server
    body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nx\r\n--b--'
    kind = {"Content-Type": "MULTIPART/form-data; boundary=b"}
    answer = client.post("/read", content=body + b"\r\n" + b"junk" * 1000, headers=kind)
    assert answer.json()["error"].startswith("a: not an image")
    assert "boundary" not in process.messages()


def test_an_address_with_a_slash_at_its_end_is_another_one(client):
    for path in ("/read/", "/docs/"):
        answer = client.get(path)
        assert answer.status_code == 404 and answer.json() == {"error": "Not Found"}


def test_the_names_of_other_hosts_are_refused(client):
    for path in ("/", "/read", "/docs", PREDICT):
        answer = client.post(path, headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert "Host 'evil.example': not a name of this server" in answer.json()["error"]
    assert client.get("/v1/models/aocr", headers={"Host": "localhost:1"}).status_code == 200


def test_the_description_uses_nothing_from_other_servers(client):
    answer = client.get("/docs")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "://" not in answer.text and "<script" not in answer.text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in answer.text
    assert client.get("/redoc").status_code == 404


def test_an_answer_does_not_wait_for_the_client_to_acknowledge_its_head(client):
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        client.get("/healthz")
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.03, "40 ms and more where it waits"


# --- uploads -----------------------------------------------------------------------------------


def test_files_are_read_each_by_its_name_and_a_bad_one_in_its_place(client, lines):
    files = [("image", (path.name, path.read_bytes())) for path in FILES]
    files.insert(2, ("image", ("notes.txt", b"no image")))
    found = client.post("/read", files=files).json()["lines"]
    assert "notes.txt: not an image" in found.pop(2)["error"]
    for line in found:
        expected = lines[line["name"]]
        assert line["text"] == expected.text == "".join(c["text"] for c in line["characters"])
        assert line["confidence"] == pytest.approx(expected.confidence, abs=1e-3)


def test_a_map_shows_where_each_character_was_seen(client):
    image = FILES[0].read_bytes()
    assert "map" not in client.post("/read", content=image).json()["lines"][0]["characters"][0]
    line = client.post("/read?maps=true", content=image).json()["lines"][0]
    wide = Image.open(FILES[0]).width
    for character in line["characters"]:
        peak = (np.argmax(character["map"]) + 0.5) / len(character["map"]) * wide
        assert max(character["map"]) == pytest.approx(character["confidence"], abs=2e-3)
        assert character["start"] - 1 <= peak <= character["end"] + 1


@pytest.mark.parametrize("form", ["png", "jpeg", "tiff", "webp", "bmp", "gif"])
def test_an_image_of_any_format_can_be_the_body(client, form):
    file = io.BytesIO()
    Image.open(TEST_IMAGES / "sticker.png").convert("RGB").save(file, form)
    found = client.post("/read", content=file.getvalue()).json()["lines"][0]
    assert found["text"] == "904172563801"


# --- limits ------------------------------------------------------------------------------------


def test_requests_need_the_token_of_the_server(strict):
    for wrong in ({"authorization": "Bearer wrong"}, {"authorization": TOKEN[:-1]}, {}):
        request = strict.build_request("POST", "/read", content=b"x")
        del request.headers["authorization"]
        request.headers.update(wrong)
        answer = strict.send(request)
        assert answer.status_code == 401 and "token" in answer.json()["error"]
    assert strict.get("/healthz").status_code == 200
    assert strict.get("/metrics", headers={"authorization": f"BEARER {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"content": bytes(200_001)}, 413, "over the limit of 200,000 bytes"),
        ({"content": iter([bytes(100_000)] * 3)}, 413, "over the limit of 200,000 bytes"),
        ({"files": [("image", ("a.png", b"x"))] * 4}, 400, "files"),
        ({"content": "wide"}, 413, "1000 x 1000 pixels, over the limit of 300,000"),
    ],
    ids=["bytes", "bytes-in-pieces", "images", "pixels"],
)
def test_what_is_too_large_is_refused(strict, request_, status, message):
    if request_.get("content") == "wide":
        file = io.BytesIO()
        Image.new("1", (1000, 1000)).save(file, "png")
        request_ = {"content": file.getvalue()}
    answer = strict.post("/read", **request_)
    assert answer.status_code == status and message in answer.json()["error"].lower()


def test_a_body_that_says_it_is_too_large_is_not_waited_for(strict):
    address = (strict.base_url.host, strict.base_url.port)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(
            b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200001\r\n"
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_arrive_is_not_waited_for(strict):
    address = (strict.base_url.host, strict.base_url.port)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(
            b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\nslow"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_a_client_that_leaves_early_causes_no_error(server):
    process, client = server
    for kind, body in (
        (b"image/png", b"slow"),
        (b"multipart/form-data; boundary=b", b"--b\r\n"),
    ):
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(
                b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Content-Type: " + kind + b"\r\n\r\n" + body
            )
            time.sleep(0.2)
    deadline = time.monotonic() + 20
    while 'status="499"} 2.0' not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "Traceback" not in process.messages()


def test_more_than_the_queue_holds_gets_429_and_the_server_recovers(strict):
    image = FILES[0].read_bytes()
    with ThreadPoolExecutor(24) as pool:
        ask = lambda _: strict.post("/read", content=image)  # noqa: E731
        answers = list(pool.map(ask, range(120)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert all(a.headers["retry-after"] == "1" for a in answers if a.status_code == 429)
    assert ask(0).status_code == 200


@pytest.mark.long
def test_many_large_requests_are_refused_together():
    limits = "--max-body 2000000 --max-bodies 3000000 --max-connections 30 --timeout 3"
    with serving(DIGITS, *limits.split()) as (_, client):

        def never_complete():
            yield bytes(1_900_000)
            time.sleep(2)
            yield bytes(1)

        with ThreadPoolExecutor(3) as pool:
            held = pool.map(lambda _: client.post("/read", content=never_complete()), range(3))
            time.sleep(1)
            good = client.post("/read", content=FILES[0].read_bytes())  # under its share
            statuses = {answer.status_code for answer in held}
        assert good.status_code == 200
        assert 503 in statuses and statuses <= {400, 503}


# --- together, and over time -------------------------------------------------------------------


def numbered(text: str) -> bytes:
    """A drawn line that is read as `text`."""
    file = io.BytesIO()
    draw(text, OPEN_SANS, Drawing(), 0).save(file, "png")
    return file.getvalue()


NUMBERS = [f"{n:05}" for n in np.random.default_rng(0).choice(100_000, 40, replace=False)]


def ask_all(client, numbers, times):
    """Ask for each number several times by many clients at once; all answers have to be right."""
    images = {number: numbered(number) for number in numbers}

    def ask(number):
        answer = client.post("/read", content=images[number])
        return answer.status_code, number, answer.json()["lines"][0]["text"]

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(ask, numbers * times))


def test_each_of_many_clients_gets_the_right_answers(client):
    found = ask_all(client, NUMBERS, 5)
    assert [n for status, n, text in found if (status, text) != (200, n)] == []
    figures = client.get("/metrics").text
    several = float(re.search(r'ocr_batch_images_bucket{le="1.0"} (\S+)', figures)[1])
    assert several < float(re.search(r"ocr_batch_images_count (\S+)", figures)[1])


@pytest.mark.long
def test_a_newer_version_is_loaded_and_a_stop_loses_nothing(exported, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    with serving(folder) as (process, client), ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_all, client, NUMBERS, 15)
        shutil.copytree(exported / "1", tmp_path / "2")
        (tmp_path / "2").rename(folder / "2")
        (folder / "3").mkdir()
        (folder / "3" / "saved_model.pb").write_bytes(b"broken")
        assert all(status == 200 and text == n for status, n, text in asking.result())
        shutil.rmtree(folder / "3")
        deadline = time.monotonic() + 60
        while client.get("/readyz").json()["version"] != 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        shutil.copytree(exported / "1", folder / "4", ignore=lambda *_: ["variables"])
        time.sleep(3)  # it has been looked at by now, while it is being copied
        assert client.get("/readyz").json()["version"] == 2
        shutil.copytree(exported / "1" / "variables", folder / "4" / "variables")
        while client.get("/readyz").json()["version"] != 4:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert client.get("/v1/models/aocr/versions/1").status_code == 404
        image = numbered(NUMBERS[0])

        def stopped_halfway():
            yield image[:100]
            time.sleep(0.3)  # by now the server has begun with it
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            yield image[100:]

        answer = client.post("/read", content=stopped_halfway())
        assert answer.json()["lines"][0]["text"] == NUMBERS[0]
        assert process.wait(timeout=30) == 0


@pytest.mark.long
def test_images_that_take_long_to_decode_delay_only_each_other(client):
    slow = [make() for make in slow_images.SLOW.values()]
    with ThreadPoolExecutor(8) as pool:
        ask = lambda i: client.post("/read", content=slow[i % len(slow)])  # noqa: E731
        asked = [pool.submit(ask, i) for i in range(8)]
        while not all(answer.done() for answer in asked):
            start = time.monotonic()
            line = client.post("/read", content=FILES[0].read_bytes()).json()["lines"][0]
            assert "text" in line and time.monotonic() - start < 5
        assert {answer.result().status_code for answer in asked} <= {400, 503, 504}


@pytest.mark.long
def test_images_that_take_long_to_decode_are_refused():
    with serving(DIGITS, "--timeout", "60") as (_, client):  # decoders give way to other programs
        answers = [client.post("/read", content=make()) for make in slow_images.SLOW.values()]
    assert {answer.status_code for answer in answers} == {400}
    refused = [answer.json()["error"] for answer in answers]
    assert all("cannot be decoded (takes over 2 s)" in error for error in refused)


@pytest.mark.long
def test_it_ends_in_time_though_its_decoders_are_busy():
    slow = slow_images.repeated_scan()
    with serving(DIGITS, "--grace", "6") as (process, client), ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(client.post, "/read", content=slow) for _ in range(6)]
        time.sleep(1)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0 and time.monotonic() - start < 8
        statuses = {answer.result().status_code for answer in asked}
        assert "Traceback" not in process.messages()
    assert 503 in statuses and statuses <= {400, 503}


def test_a_folder_without_a_model_cannot_be_served(tmp_path, capsys):
    assert run_aocr("serve", tmp_path) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}: holds no SavedModel; write one with: aocr export {tmp_path}" in error


def test_help_does_not_show_the_token(monkeypatch, capsys):
    monkeypatch.setenv("OCR_TOKEN", TOKEN)
    assert run_aocr("serve --help") == 0
    out = capsys.readouterr().out
    assert "OCR_TOKEN" in out and TOKEN not in out


@pytest.mark.parametrize("token", [" a", "a\n", "\u00e9", "a" * 5000, "\t"])
def test_a_token_that_cannot_be_sent_is_refused_at_start(exported, monkeypatch, capsys, token):
    monkeypatch.setenv("OCR_TOKEN", token)
    assert run_aocr("serve", exported) == 2
    error = capsys.readouterr().err
    assert "OCR_TOKEN" in error and "cannot be sent in a header" in error and len(error) < 300


# --- the files of a version ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"[1]", "is not a JSON object"),
        (b'{"channels": "1"}', "channels '1'"),
        (b'{"channels": true}', "channels True"),
        (b'{"channels": [' + b"1," * 1000 + b"1]}", "channels [1, 1"),
        (b"{}" + b" " * (5 << 20), "over the limit"),
        (None, "pipe or device"),
    ],
)
def test_what_a_version_says_about_itself_is_checked(tmp_path, content, message):
    about = tmp_path / "model.json"
    if content is None:
        os.mkfifo(about)
    else:
        about.write_bytes(content)
    with pytest.raises((ValueError, OSError), match=re.escape(message)) as error:
        read_about(tmp_path)
    assert str(error.value).startswith(str(about)) and len(str(error.value)) < 500


def test_a_version_with_a_pipe_is_not_loaded(tmp_path):
    about = {"channels": 1, "height": 32, "multiple": 4}
    (tmp_path / "model.json").write_text(json.dumps(about))
    os.mkfifo(tmp_path / "saved_model.pb")
    with pytest.raises(ValueError, match="is a pipe or a device"):
        read_about(tmp_path)


def test_odd_names_are_no_versions(tmp_path):
    for name in ("2", "\u0663", "9" * 200, "-5", "1e3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"x")
    assert newest(tmp_path) == tmp_path / "2"


@pytest.mark.long
@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_an_address_of_ipv6_can_be_listened_on():
    with serving(DIGITS, "--host", "::1") as (_, client):
        assert client.get("/readyz").json()["status"] == "ready"


# --- as docs/shipping.md has it ---------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_lines_of_the_docs_are_answered(client):
    docs = (ROOT / "docs" / "shipping.md").read_text()
    block = re.search(r"```sh\n(curl.*?)```", docs, re.DOTALL)[1]
    commands = re.split(r"\n(?=curl)", block.replace("\\\n", " ").strip())
    assert len(commands) == 4
    for command in commands:
        command = command.replace("http://localhost:8501", str(client.base_url).rstrip("/"))
        found = subprocess.run(
            ["sh", "-c", f"{command} --silent --fail"], capture_output=True, cwd=ROOT, timeout=60
        )
        assert found.returncode == 0 and "error" not in json.loads(found.stdout), shlex.quote(
            command
        )
    assert set(client.get("/v1/models/aocr").json()) == {"model_version_status"}


def test_compose_serves_the_exported_folder_by_both():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert "tensorflow/serving" in services["tensorflow-serving"]["image"]
    assert "--model_base_path=/models/aocr" in services["tensorflow-serving"]["command"]
    assert services["tensorflow-serving"]["volumes"] == ["./exported:/models/aocr:ro"]
    assert all(port.startswith("127.0.0.1:") for s in services.values() for port in s["ports"])


def test_an_upload_with_white_ink_reaches_the_model_on_black():
    ink = Image.new("RGBA", (60, 20), (255, 255, 255, 0))
    ink.paste((255, 255, 255, 255), (10, 4, 14, 16))
    file = io.BytesIO()
    ink.save(file, "PNG")
    found = to_png(file.getvalue(), "upload", Preparation(1, 32, 10_000, 1000))
    seen = np.asarray(Image.open(io.BytesIO(found.png)))
    assert (seen == imaging.load(file.getvalue())[..., 0]).all()
    assert seen[0, 0] == 0 and seen[10, 12] == 255
