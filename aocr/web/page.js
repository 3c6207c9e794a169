// The page of `aocr export --format web`: what comes in is read here, and goes nowhere else.

import {prepareCamera} from "./camera.js";
import {Model} from "./model.js";
import {decode} from "./pixels.js";
import {$, aboutBox, add, make, takeImages, useBox} from "./results.js";

const loading = Model.load();

$("unstarted").remove();

// An image file -> its line. framed: see `Model.read`. Throws an Error that says why it cannot be read.
export async function readFile(file, framed = false) {
  const model = await loading, bitmap = await decode(file);
  try { return await model.read(bitmap, framed); }
  finally { bitmap.close(); }
}

$("drop").append(make("button", {id: "start", textContent: "Read from the camera"}));
takeImages(async ([file], {framed}) => [await readFile(file, framed)], 1);
prepareCamera(async canvas => (await loading).read(canvas, true), file => add([file], true));

$("status").textContent = "Loading the model …";
const say = text => { if ($("results").hidden) $("status").textContent = text; };
loading.then(({about}) => {
  const kept = about.constraint, reads = !kept ? "" : kept.texts
    ? ` It reads only one of ${kept.texts.toLocaleString("en")} texts.` : ` It reads only texts that match ${kept.pattern}.`;
  useBox(about.crop);
  $("model").textContent = `Model ${about.made_from}.${reads}${aboutBox()}`;
  say("Ready.");
  return keepForOffline();
}).catch(error => say(error.message));

async function keepForOffline() {
  const workers = navigator.serviceWorker, before = workers?.controller;
  let kept;
  try {
    kept = await workers.register("offline.js");
    await workers.ready;
  } catch {
    return;  // without HTTPS, or in a private window
  }
  $("offline").textContent = "It also works offline.";
  if (!before) return;  // the files of this visit were kept just now
  workers.addEventListener("controllerchange", () => {
    if ($("results").hidden && $("live").hidden) location.reload();
    else $("offline").textContent = "There is a newer version of this page: reload it.";
  });
  await kept.update().catch(leaveIfGone);
}

// Another program may have the address by now, as on a developer's computer: show what is there.
async function leaveIfGone() {
  const answer = await fetch("offline.js", {cache: "no-store"}).catch(() => null);
  if (answer?.status !== 404) return;
  for (const kept of await navigator.serviceWorker.getRegistrations()) await kept.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
  location.reload();
}
