// The page of `aocr export --format web`: what comes in is read here, and goes nowhere else.

import {prepareCamera} from "./camera.js";
import {Model} from "./model.js";
import {decode} from "./pixels.js";
import {$, aboutBox, add, make, takeImages, useBox} from "./results.js";

const loading = Model.load();

// An image file -> its line. Throws an Error that says why it cannot be read.
export async function readFile(file) {
  const model = await loading, bitmap = await decode(file);
  try { return await model.read(bitmap); }
  finally { bitmap.close(); }
}

$("drop").append(make("button", {id: "start", textContent: "Read from the camera"}));
takeImages(async ([file]) => [await readFile(file)], 1);
prepareCamera(async canvas => (await loading).read(canvas, true), file => add([file]));

$("status").textContent = "Loading the model …";
const say = text => { if ($("results").hidden) $("status").textContent = text; };
loading.then(({about}) => {
  const kept = about.constraint, reads = !kept ? "" : kept.texts
    ? ` It reads only one of ${kept.texts} texts.` : ` It reads only texts that match ${kept.pattern}.`;
  useBox(about.crop);
  $("model").textContent = `Model ${about.made_from}.${reads}${aboutBox()}`;
  say("Ready.");
  return keepForOffline();
}).catch(error => say(error.message));

async function keepForOffline() {
  try {
    await navigator.serviceWorker.register("offline.js");
    await navigator.serviceWorker.ready;
  } catch {
    return;  // without HTTPS, or in a private window
  }
  $("offline").textContent = "It also works offline.";
}
