// The camera: its frame is read several times a second, and the surest of the last readings is shown.

import {$, make, percent, underline} from "./results.js";

const PAUSE = 200;  // milliseconds between readings
const READINGS = 10, OLDEST = 3000;  // the surest of the last 10 readings is shown, none older than 3 s
const SIDE = 5;  // percent of the picture's width on each side of the frame

let stream = null, readings = [], kept = 0;  // readings: of {canvas, line, time}

// read: a function from a canvas to its line; keep: one that takes a file.
export function prepareCamera(read, keep) {
  $("start").addEventListener("click", () => open(read));
  $("stop").addEventListener("click", close);
  $("keep").addEventListener("click", () => surest().canvas.toBlob(blob =>
    keep(new File([blob], `camera ${++kept}.png`, {type: "image/png"}))));
  $("live").addEventListener("keydown", event => { if (event.key === "Escape") close(); });
  $("size").addEventListener("input", () => { forget(); drawFrame(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && stream) closeFor("The camera was closed because the page was hidden.");
  });
}

function forget() {
  readings = [];
  $("keep").disabled = true;
}

async function open(read) {
  if (stream || $("start").disabled) return;
  $("start").disabled = true;
  $("status").textContent = "Starting the camera …";
  try {
    if (!navigator.mediaDevices) throw new Error("a camera needs a page with HTTPS");
    stream = await navigator.mediaDevices.getUserMedia({
      video: {facingMode: "environment", width: {ideal: 1920}, height: {ideal: 1080}},
    });
    for (const track of stream.getTracks())
      track.addEventListener("ended", () => closeFor("The camera was disconnected, or is not allowed any more."));
    $("video").srcObject = stream;
    await $("video").play();
  } catch (error) {
    close();
    const reasons = {NotAllowedError: "access is blocked; allow it in the browser's address bar", NotFoundError: "none was found"};
    $("status").textContent = `Camera not available: ${reasons[error.name] ?? error.message}.`;
    return;
  }
  $("start").disabled = false;
  $("status").textContent = "";
  [$("live").hidden, $("drop").hidden] = [false, true];
  drawFrame();
  $("stop").focus();
  follow(read, stream);
}

function close() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  forget();
  $("start").disabled = false;
  $("video").srcObject = null;
  [$("live").hidden, $("drop").hidden] = [true, false];
  $("seen").replaceChildren();
  $("start").focus();
}

function closeFor(reason) {
  close();
  $("status").textContent = reason;
}

function drawFrame() {
  const size = Number($("size").value);
  Object.assign($("frame").style, {left: `${SIDE}%`, right: `${SIDE}%`, top: `${50 - size / 2}%`, height: `${size}%`});
}

// Read until the camera is closed.
async function follow(read, mine) {
  while (stream === mine) {
    if (!document.hidden && $("video").videoWidth) {
      const canvas = framed(), readingsBefore = readings;
      const line = await read(canvas).catch(error => ({text: "", confidence: 0, characters: [], error}));
      if (stream !== mine) return;
      if (readings === readingsBefore) {  // the frame has still the same size
        const now = Date.now();
        readings.push({canvas, line, time: now});
        readings = readings.slice(-READINGS).filter(({time}) => now - time < OLDEST);
        show();
      }
    }
    await new Promise(resolve => setTimeout(resolve, PAUSE));
  }
}

// What is in the frame, in the camera's pixels.
function framed() {
  const {videoWidth, videoHeight} = $("video");
  const width = Math.round(videoWidth * (1 - SIDE / 50)), height = Math.round(videoHeight * $("size").value / 100);
  const canvas = make("canvas", {width, height});
  canvas.getContext("2d").drawImage($("video"), (videoWidth - width) / 2, (videoHeight - height) / 2,
    width, height, 0, 0, width, height);
  return canvas;
}

// The surest reading; one with a text before those without.
function surest() {
  const score = ({line}) => (line.text ? 1 : 0) + line.confidence;
  return readings.reduce((best, reading) => score(reading) > score(best) ? reading : best);
}

function show() {
  const {line} = surest(), seen = $("seen");
  $("keep").disabled = !line.text;
  if (!seen.hasChildNodes() || seen.dataset.text !== line.text) {  // else a screen reader would repeat it
    const percents = make("small");
    if (line.text) percents.setAttribute("aria-hidden", "true");
    seen.dataset.text = line.text;
    seen.replaceChildren(...line.characters.map(({text}) => make("span", {textContent: text})), percents);
  }
  line.characters.forEach(({confidence}, i) => { underline(seen.children[i], confidence); });
  const note = line.text ? percent(line.confidence) : line.error?.message ?? "no text found";
  if (seen.lastChild.textContent !== note) seen.lastChild.textContent = note;
}
