// The labelling page: asks its server, shows the picture and its text, takes the answers.

const POLL = 1000, ALIVE = 5000;  // milliseconds between requests: while waiting for a reading, and otherwise
const LARGEST = 8;  // times its size that a small picture is shown at
const KINDS = {unreadable: "unreadable", "not a line": "not a line", skip: "skipped"};
let page = "", state = null, about = {}, busy = false, timer = 0;
let shown = null, fetchedAhead = null;  // the number of the picture on the page; the address of the next one
let offered = "", filled = false;  // the text that the field began with; whether a reading filled it
let base = "", baseTyped = false;  // the text that was put into the field last; whether it was typed before
let typed = false;  // whether the present text was typed
let replaced = "", restorable = false;  // a typed text that another replaced; whether Ctrl Z brings it back
let dropped = null;  // a text that was typed for a picture that was then left out
let undone = false;  // whether the picture is back because its label was undone
let asked = 0;  // how often the page has asked for a change
let trains = null, switched = 0;  // whether a training runs; when it began or ended
let marks = {text: "", confidences: []};  // the reading that colours the field
let zoom = 1, turned = 0, bright = 0, scale = 1;
let shownBox = "";  // of the picture on the page

const count = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
/** Show a text; a screen reader would repeat one that is set again. */
const tell = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
const coarse = matchMedia("(pointer: coarse)").matches;

// --- requests

async function ask(route, content = {}) {
  const answer = await fetch(route, {method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({page, ...content})});
  const found = await answer.json().catch(() => ({error: `the server answered ${answer.status}`}));
  if (answer.ok) return found;
  if (answer.status === 409) { elsewhere(found.error); return null; }
  if (answer.status === 410) {
    await open();
    if (page && route !== "state") say("aocr label was started again. Your last action was not saved: repeat it.", true);
    return null;
  }
  throw new Error(found.error);
}

/** Ask, one question at a time, and show what comes; say what went wrong. Nothing is lost then. */
async function act(route, content) {
  if (busy) return false;
  busy = true;
  asked++;
  try {
    const found = await ask(route, content);
    if (found) { say(""); show(found); }
    return Boolean(found);
  } catch (error) {
    say(whatFailed(error), true);
    return false;
  } finally { busy = false; }
}

const whatFailed = error => error instanceof TypeError
  ? "aocr label does not answer. Is it still running? All answers that it accepted are saved." : error.message;

async function open(take = false) {
  clearTimeout(timer);
  try {
    // a page that is reloaded keeps the folder, though its `close` may still be on its way
    const found = await ask("open", {take, page: sessionStorage.getItem("page") ?? ""});
    if (!found) return;
    ({page} = found);
    sessionStorage.setItem("page", page);
    about = found;
    $("taken").hidden = true;
    const name = $("name").textContent, text = typed ? $("text").value : null;
    shown = fetchedAhead = null;
    show(found);
    if (text !== null && found.picture?.name === name) type(text);
    watch();
  } catch (error) {
    say(whatFailed(error), true);
    timer = setTimeout(() => open(take), ALIVE);  // the page cannot be used until this succeeds
  }
}

function watch() {
  clearTimeout(timer);
  const waits = state?.training.running || state?.picture && !state.picture.reading && !state.picture.error && !state.problem;
  timer = setTimeout(async () => {
    if (!busy && page) {
      const before = asked;
      try {
        const found = await ask("state");
        if (found && asked === before) { if ($("status").dataset.gone) say(""); show(found); }
      } catch (error) { say(whatFailed(error), true); $("status").dataset.gone = "1"; }
    }
    if (page) watch();
  }, waits ? POLL : ALIVE);
}

function elsewhere(why) {
  page = "";
  crop = null;
  $("training").hidden = true;
  $("taken").hidden = false;
  $("taken-why").textContent = `${why[0].toUpperCase()}${why.slice(1)}.`;
  $("work").hidden = $("done").hidden = $("again").hidden = true;
  say("");
  $("taken-title").focus();  // not the button: an Enter that was meant for a text must not press it
}

function say(message, wrong = false) {
  tell("status", message);
  $("status").classList.toggle("error", wrong);
  delete $("status").dataset.gone;
}

// --- what is shown

function show(found) {
  state = found;
  figures();
  training();
  $("about").textContent = `${about.folder}, read with ${state.model}`;
  const picture = state.picture;
  $("work").hidden = !picture;
  $("done").hidden = Boolean(picture);
  $("title").textContent = state.reviewing ? "Review the labels" : "Label pictures";
  $("again").hidden = !picture || !(state.reviewing || state.labelled + state.left_out);
  $("again").textContent = state.reviewing ? "Return to labelling"
    : state.suspected ? `Review the labels, ${count(state.suspected, "suspected error")} first` : "Review the labels";
  for (const button of document.querySelectorAll(".back")) button.disabled = !state.last;
  if (!picture) {
    crop = null;
    finish();
    if (shown !== null) $("done-title").focus();  // the field, which had the focus, is gone
    shown = null;
    return;
  }
  const usable = !$("text").disabled;
  if (picture.number !== shown || String(picture.box) !== shownBox || usable === Boolean(picture.error)) begin(picture);
  else if (picture.reading && JSON.stringify(picture.reading) !== marks.of) arrive(picture);
  describe(picture);
  const ahead = state.upcoming === null ? null : address(state.upcoming, state.upcoming_box);
  if (ahead && ahead !== fetchedAhead) new Image().src = fetchedAhead = ahead;
}

function figures() {
  const done = state.labelled + state.left_out, all = state.pictures;
  $("progress").max = all;
  $("progress").value = state.reviewing ? all - state.waiting : done;
  const parts = [[state.labelled.toLocaleString("en"), ` of ${count(all, "picture")} labelled`]];
  if (state.left_out) parts.push([state.left_out.toLocaleString("en"), " left out"]);
  if (state.reviewing) parts.push([state.waiting.toLocaleString("en"), " still to look at"]);
  if (state.unchanged !== null) parts.push([percent(state.unchanged), " of readings accepted unchanged"]);
  if (state.per_minute) parts.push([state.per_minute.toFixed(0), " texts a minute"]);
  if (state.read < all && !state.problem) parts.push([state.read.toLocaleString("en"), " read so far"]);
  const figures = parts.map(([figure, text]) => make("span", {}, make("b", {textContent: figure}), text));
  for (const old of $("figures").querySelectorAll("span")) old.remove();
  $("again").before(...figures);  // which stays, and keeps the focus
}

function finish() {
  const reviewed = state.reviewing;
  $("done-title").textContent = reviewed ? "All labels reviewed"
    : `All pictures are done: ${count(state.labelled, "label")}, ${state.left_out.toLocaleString("en")} left out`;
  $("then").hidden = state.labelled < state.training.needed || state.training.running;
  document.querySelector("#done .again").textContent = $("again").textContent;
}

const address = (number, box) => `picture/${number}?page=${about.page}` + (box.length ? `&box=${box.join(",")}` : "");

/** The training: what it may be started with, how it goes, what came of it. */
function training() {
  const {running, doing, progress, lines, failed, stopped, result, needed, good, minutes} = state.training;
  const lacking = needed - state.labelled;
  $("training").hidden = false;
  $("steps").hidden = !running;
  $("steps").value = progress;
  $("messages").hidden = !failed;
  tell("lines", lines.join("\n"));
  const button = running ? stopped ? "Stopping …" : "Stop training"
    : lacking > 0 ? "Train" : `Train on ${count(state.labelled, "label")}`;
  if (trains !== null && trains !== running) switched = Date.now();
  trains = running;
  $("train").textContent = button;
  $("train").disabled = running ? stopped : lacking > 0;
  $("trained").className = failed ? "error" : result.length ? "result" : "";
  $("doing").hidden = !running;
  $("doing").textContent = doing;  // apart, as a screen reader would read each step
  tell("trained", running ? "Training. You can keep labelling."
    : failed ? `The training failed: ${(lines[lines.length - 1] ?? "it ended without a message").replace(/^aocr: /, "")}`
    : stopped ? "The training was stopped; nothing has changed."
    : result.length ? result.join("\n").replace(" -> ", " → ")
    : lacking > 0 ? `${needed} labels are needed, ${lacking} more than now. ${good} are a good start.`
    : `Takes up to ${count(minutes, "minute")} on two processor cores. You can keep labelling.`);
}

/** Show another picture. */
function begin(picture) {
  const written = picture.number === shown && $("text").value !== offered ? $("text").value : null;
  shown = picture.number;
  shownBox = String(picture.box);
  crop = null;
  turned = 0;
  undone = filled = false;
  typed = false;
  replaced = "";
  restorable = false;
  marks = {text: "", confidences: []};
  $("trouble").hidden = !picture.error;
  $("trouble").textContent = picture.error ? `This picture cannot be used: ${picture.error}` : "";
  $("frame").hidden = Boolean(picture.error);
  if (!picture.error) showImage(address(picture.number, picture.box));
  $("name").textContent = picture.name;
  $("text").disabled = $("accept").disabled = Boolean(picture.error);
  document.querySelector("[data-kind=blank]").disabled = Boolean(picture.error);
  fill(picture.label ?? "");
  $("next").replaceChildren();
  if (picture.reading) arrive(picture);
  if (written !== null) type(written);
  drawBox();
  const first = picture.error ? document.querySelector("[data-kind=unreadable]") : $("text");
  if (!coarse) first.focus(); else $("text").blur();
  scrollTo(0, 0);
}

/** Show an image; the one before is not shown beside another text while this one is loaded. */
function showImage(source) {
  $("image").style.visibility = "hidden";
  $("image").src = source;
}

/** Use a reading, which may come after the picture. What was typed stays. */
function arrive(picture) {
  const {reading} = picture;
  marks = {text: reading.text, confidences: reading.confidences, of: JSON.stringify(reading)};
  if (picture.label === null && !picture.reason && !undone && !filled && $("text").value === offered) {
    fill(reading.text);
    filled = true;  // a later reading, after a training, does not change a text that was looked at
  } else paint();
  offer();
}

/** Buttons for the texts that the field may have: the label, the readings, and what was typed before. */
function offer() {
  const {label, reading} = state.picture;
  const texts = [label, reading?.text, ...reading?.others ?? [], replaced].filter(text => text);
  const buttons = [...new Set(texts)].map(text => {
    const button = make("button", {type: "button", textContent: text, dir: "auto"});
    button.addEventListener("click", () => { put(text); if (!coarse) $("text").focus(); });
    return button;
  });
  $("next").replaceChildren(...buttons);
  if (buttons.length > 1) $("next").append(make("kbd", {textContent: "↓"}));
  choose();
}

function describe(picture) {
  const {reading} = picture;
  const saved = picture.label === null ? picture.reason && `Left out: ${picture.reason}.`
    : picture.label === "" ? "Labelled as blank." : `Label: ${isolated(picture.label)}.`;
  let read = picture.error ? "" : state.problem ? `No readings: ${state.problem}. Type the text.` : "The model is reading …";
  if (reading) read = reading.text ? `Read as ${isolated(reading.text)}, ${percent(reading.confidence)} sure.`
    : `Read as blank, ${percent(reading.confidence)} sure.`;
  $("read").textContent = [picture.suspected && "Suspected error.", saved, read].filter(Boolean).join(" ");
  $("read").classList.toggle("suspected", picture.suspected);
  $("text").placeholder = picture.error ? "" : picture.reason ? `(${picture.reason})`
    : reading && !reading.text ? "(blank)" : "Type the text";
  if ($("status").classList.contains("error") || !state.last) return;
  const {name, kind, label, boxes} = state.last;
  const reach = boxes > 1 ? count(boxes, "picture") : "this picture only";
  tell("status", kind === "box" ? `Last: box of ${name}, applied to ${reach}`
    : `Last: ${name}, ${kind === "label" ? label && isolated(label) || "blank" : KINDS[kind]}`);
}

/** Begin with a text in the field. */
function fill(text) {
  offered = text;
  typed = false;
  put(text);
}

/** Put a text into the field. One that was typed is kept, among the next readings. */
function put(text) {
  if (typed && text !== $("text").value && $("text").value.trim()) {
    replaced = $("text").value;
    restorable = true;
    offer();
  }
  $("text").value = base = text;
  typed = baseTyped = false;
  paint();
  choose();
}

/** Put a text into the field as if it had been typed. */
function type(text) {
  put(text);
  typed = baseTyped = true;
}

function choose() {
  for (const button of $("next").querySelectorAll("button"))
    button.setAttribute("aria-pressed", button.textContent === $("text").value);
}

/** Colour the characters that the reading has in common with the field, at its beginning and end. */
function paint() {
  const typed = [...$("text").value], read = [...marks.text];
  let before = 0, after = 0;
  const most = Math.min(typed.length, read.length);
  while (before < most && typed[before] === read[before]) before++;
  while (after < most - before && typed[typed.length - 1 - after] === read[read.length - 1 - after]) after++;
  $("colours").replaceChildren(...typed.map((character, i) => {
    const place = i < before ? i : i >= typed.length - after ? i - typed.length + read.length : -1;
    const element = make("span", {textContent: character});
    if (place >= 0 && marks.confidences[place] !== undefined) underline(element, marks.confidences[place]);
    return element;
  }));
  $("colours").scrollLeft = $("text").scrollLeft;
}

/** Size, turn and brighten the picture; the file stays as it is. */
function look() {
  const image = $("image"), view = $("view");
  if (!image.naturalWidth) return;
  const across = turned % 180 !== 0;
  const wide = across ? image.naturalHeight : image.naturalWidth, high = across ? image.naturalWidth : image.naturalHeight;
  const fit = Math.min((view.clientWidth - 24) / wide, (view.clientHeight - 24) / high, LARGEST) * zoom;
  $("frame").style.width = `${wide * fit}px`;
  $("frame").style.height = `${high * fit}px`;
  image.style.width = `${image.naturalWidth * fit}px`;
  image.style.height = `${image.naturalHeight * fit}px`;
  image.style.transform = `translate(-50%, -50%) rotate(${turned}deg)`;
  image.style.filter = ["", "brightness(1.4)", "brightness(2)"][bright];
  $("brightness").textContent = ["Brighter", "Brighter × 1.4", "Brighter × 2"][bright];
  $("bright").setAttribute("aria-pressed", bright > 0);
  scale = fit;
  drawBox();
}

function resize(factor) { zoom = Math.min(8, Math.max(0.5, zoom * factor)); look(); }
function turn() { turned = (turned + 90) % 360; look(); }
function brighten() { bright = (bright + 1) % 3; look(); }

// --- answers

function accept() {
  const text = $("text").value, {reading, reason} = state.picture;
  if (!$("image").complete) {
    say("The picture is still being loaded.", true);
    return;
  }
  if (!text.trim() && reason) return answer(reason);
  dropped = null;
  if (!text.trim() && !(reading && !reading.text) && state.picture.label !== "") {
    say("The field is empty. If there is nothing to read in the picture, choose Blank (F9).", true);
    return;
  }
  return act("answer", {number: shown, kind: "label", text});
}

function answer(kind) {
  dropped = typed && $("text").value.trim() ? {number: shown, text: $("text").value} : null;
  return act("answer", kind === "blank" ? {number: shown, kind: "label", text: ""} : {number: shown, kind});
}
const review = () => act("review", {on: !state.reviewing});

async function undo() {
  const {kind, label} = state.last ?? {};
  shown = null;  // what is typed goes, too
  if (!await act("undo")) { if (state?.picture) shown = state.picture.number; }
  else if (state.picture && dropped?.number === state.picture.number) type(dropped.text);
  else if (kind === "label" && state.picture) { fill(label); undone = true; }  // to be corrected, not typed again
  dropped = null;
}

/** Take back what was typed or chosen for this picture, then the last answer. */
function takeBack() {
  const text = $("text").value;
  if (state.picture && restorable && text !== replaced) type(replaced);
  else if (state.picture && text !== offered) put(offered);
  else if (state.last) undo();
  restorable = false;
}

/** Put the next reading into the field, or the one before. */
function step(by) {
  const texts = [...$("next").querySelectorAll("button")].map(button => button.textContent);
  if (!texts.length) return;
  const place = texts.indexOf($("text").value);
  put(texts[(place < 0 ? (by > 0 ? 0 : texts.length - 1) : place + by + texts.length) % texts.length]);
}

const KEYS = {F2: () => answer("unreadable"), F4: () => answer("not a line"), F8: () => answer("skip"),
  F9: () => answer("blank"), ArrowDown: () => step(1), ArrowUp: () => step(-1), Escape: () => put(offered),
  F6: startCropping, PageUp: () => resize(1.25), PageDown: () => resize(0.8)};
const WITH_ALT = {r: turn, b: brighten};
const MOVES = /^(Arrow|Page)/;  // keys that also move what is larger than its frame

addEventListener("keydown", event => {
  if (!state || !page || event.isComposing || event.keyCode === 229) return;  // 229: so in Safari
  const command = event.ctrlKey || event.metaKey;
  const drawing = crop && !command && !event.altKey && cropKey(event);
  if (drawing) { event.preventDefault(); drawing(); return; }
  if (crop && !event.altKey) {
    if (command && letter(event) === "z") { event.preventDefault(); dropBox(); }
    return;
  }
  if (command && !event.shiftKey && letter(event) === "z") {
    const changed = state.picture && $("text").value !== offered;
    if (changed && $("text").value !== base && document.activeElement === $("text")) return;  // the browser undoes typing
    event.preventDefault();
    if (!event.repeat) takeBack();
    return;
  }
  const action = command || event.shiftKey ? null : event.altKey ? WITH_ALT[letter(event)] : KEYS[event.key];
  const moves = MOVES.test(event.key);
  if (!action || !state.picture || moves && document.activeElement.closest("#view, #messages")) return;
  event.preventDefault();
  if (!event.repeat || moves) action();
});
$("form").addEventListener("keydown", event => {  // a key that is held down accepts one picture only
  if (event.key === "Enter" && event.repeat) event.preventDefault();
});
$("form").addEventListener("submit", event => { event.preventDefault(); accept(); });
$("text").addEventListener("input", () => {
  typed = baseTyped || $("text").value !== base;
  if ($("status").classList.contains("error") && !$("status").dataset.gone) say("");
  paint();
  choose();
});
$("text").addEventListener("scroll", () => { $("colours").scrollLeft = $("text").scrollLeft; });
for (const button of document.querySelectorAll("[data-kind]"))
  button.addEventListener("click", () => answer(button.dataset.kind));
for (const button of document.querySelectorAll(".back")) button.addEventListener("click", takeBack);
for (const button of document.querySelectorAll(".again")) button.addEventListener("click", review);
$("larger").addEventListener("click", () => resize(1.25));
$("smaller").addEventListener("click", () => resize(0.8));
$("turn").addEventListener("click", turn);
$("bright").addEventListener("click", brighten);
$("train").addEventListener("click", () => {
  if (Date.now() - switched < 1000) return;  // the second click of a double click, meant for what it said before
  act("train", {on: !state.training.running}).then(watch);
  if (state.picture && !coarse) $("text").focus();  // Enter is for the picture
});
$("image").addEventListener("load", () => {
  $("image").style.visibility = "";
  look();
  if (crop && !crop.points) firstBox();
});
$("image").addEventListener("error", () => {
  crop = null;
  drawBox();
  $("trouble").hidden = false;
  $("trouble").textContent = "This picture cannot be shown.";
});
$("take").addEventListener("click", () => open(true));
addEventListener("resize", look);
addEventListener("pagehide", () => {
  if (page) navigator.sendBeacon("close", new Blob([JSON.stringify({page})], {type: "application/json"}));
});
addEventListener("pageshow", event => { if (event.persisted) open(); });
open();
