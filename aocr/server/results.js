// The table of images with their texts, and how images come in: dropped, chosen, photographed, pasted.
// The server's page and the page of `aocr export --format web` share it, with results.html and
// results.css. The server inlines it; in the export it is a file of its own.

/* elements.js */

const WORTH_ASKING = 10;  // readings that were neither copied nor saved, before they are dropped
const results = [];  // of {name, address, done, text, confidence, error}, in the order of the rows
let queue = Promise.resolve(), read, together, box;
let clearing = new AbortController();  // ends what is under way when the results are cleared
let unsaved = 0, warned = false;  // readings that were neither copied nor saved; whether that was said

// Begin to take images. reading: an async function from at most `most` files, and {signal, framed} as
// `add` has them, to their lines, which are {text, confidence, characters} or {error}.
export function takeImages(reading, most) {
  [read, together] = [reading, most];
}

// crop: of a model's description, if it keeps the box of a camera: lines that are `cropped` were read in
// it. Their characters' edges are in pixels along the line in the box.
export function useBox(crop) { box = crop; }

const boxSize = () => `${box.size[0]} × ${box.size[1]} pixels`;
export const aboutBox = () => box ? ` Images of ${boxSize()} are read only in the marked box, other sizes whole.` : "";

// Read images. framed: whether the user has chosen the part of the picture already.
export function add(files, framed = false) {
  const images = [...files];
  if (!images.length) { $("status").textContent = "No image found."; return; }
  $("results").hidden = false;
  const rows = images.map(newRow), {signal} = clearing;
  queue = queue.then(async () => {
    for (let start = 0; start < images.length; start += together) {
      if (signal.aborted) return;
      $("status").textContent = `Reading ${start + 1} of ${images.length} …`;
      const part = images.slice(start, start + together);
      let lines;
      try { lines = await read(part, {signal, framed}); }
      catch (error) { lines = part.map(() => ({error: error.message})); }
      if (signal.aborted) return;
      lines.forEach((line, i) => show(rows[start + i], line));
    }
    const done = rows.map(row => row.result), bad = done.filter(line => line.error).length;
    const whole = box && !framed ? done.filter(line => !line.error && !line.cropped).length : 0;
    const message = images.length === 1
      ? (bad ? `Not read: ${done[0].error}` : done[0].text ? `Read: ${done[0].text}` : "No text found.")
      : (bad ? `${images.length - bad} of ${images.length} images read` : `${images.length} images read`);
    $("status").textContent = message + (whole ? ` (${whole} not of ${boxSize()}, so read whole)` : "");
  }).catch(error => { $("status").textContent = `Not read: ${error.message}`; });  // the next ones are
}

// --- results

function newRow(file) {
  const address = URL.createObjectURL(file);
  const image = make("img", {loading: "lazy", src: address, alt: ""});
  const hint = make("div", {className: "hint"});
  image.onerror = () => image.remove();  // a format that this browser does not show
  image.onload = () => { hint.textContent = oddShape(image); };
  const picture = make("div", {className: "picture"}, image);
  const name = file.name || "pasted image";
  const text = make("td", {}, make("span", {className: "nothing", textContent: "…"}));
  const sure = make("td");
  const row = make("tr", {}, make("td", {}, picture, make("div", {className: "name", textContent: name}), hint), text, sure);
  const result = {name, address, done: false, text: "", confidence: 0};
  results.push(result);
  $("rows").append(row);
  return {row, image, picture, text, sure, result};
}

// What is said about an image that is probably not a single line; "" about others. As in
// ocr_simple/odd_shapes.py, which also looks for two lines.
function oddShape({naturalWidth: width, naturalHeight: height}) {
  if (box) return "";
  if (height > 2 * width) return "Taller than wide: crop it to the line, or turn the image if the line runs from top to bottom.";
  return height > 300 && width < 2 * height ? "Looks like more than a line: crop it to the line." : "";
}

function show(row, line) {
  const {text: found = "", confidence = 0, error, cropped} = line;
  Object.assign(row.result, {done: true, text: found, confidence, error, cropped});
  unsaved++;
  const mark = box && cropped ? drawBox(row.picture) : null;
  if (line.error) {
    row.text.replaceChildren(make("span", {className: "error", textContent: line.error}));
    return;
  }
  row.sure.textContent = percent(line.confidence);
  if (!line.text) {
    row.text.replaceChildren(make("span", {className: "nothing", textContent: "no text found"}));
    return;
  }
  const about = make("div", {className: "about"});
  const text = make("div", {className: "text", dir: "auto"});
  const span = make("div", {className: "span", hidden: true});
  const strip = make("canvas", {height: 1});
  strip.setAttribute("aria-hidden", "true");
  if (!mark) row.picture.append(span, strip);  // they are along the image, not along a box in it
  const everywhere = line.characters.map(c => c.map).reduce((a, b) => a.map((v, i) => Math.max(v, b[i])));
  paint(strip, everywhere);
  const look = (character, element) => {
    for (const other of text.children) other.classList.toggle("on", other === element);
    span.hidden = !character || !row.image.naturalWidth;
    mark?.setAttribute("points", character ? partOfBox(character.start, character.end) : "");
    paint(strip, character ? character.map : everywhere);
    about.textContent = "";
    if (!character) return;
    const wide = row.image.naturalWidth, {height} = row.image.getBoundingClientRect();
    span.style.left = `${100 * character.start / wide}%`;
    span.style.width = `${100 * (character.end - character.start) / wide}%`;
    span.style.height = `${height}px`;
    about.textContent = `“${character.text}”, ${percent(character.confidence)} sure, read at pixels ` +
      `${Math.round(character.start)} to ${Math.round(character.end)}${mark ? " of the line in the box" : ""}`;
  };
  line.characters.forEach((character, i) => {
    const element = make("span", {textContent: character.text, tabIndex: i ? -1 : 0});
    underline(element, character.confidence);
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", `${character.text === " " ? "space" : character.text}, ${percent(character.confidence)} sure`);
    for (const kind of ["pointerenter", "focus", "click"]) element.addEventListener(kind, () => look(character, element));
    element.addEventListener("blur", () => look());
    element.addEventListener("keydown", event => {
      const ahead = getComputedStyle(text).direction === "rtl" ? -1 : 1;
      const next = {ArrowRight: i + ahead, ArrowLeft: i - ahead, Home: 0, End: line.characters.length - 1}[event.key];
      if (next === undefined) return;
      event.preventDefault();
      text.children[Math.min(Math.max(next, 0), text.children.length - 1)].focus();
    });
    text.append(element);
  });
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", `${line.text}, ${percent(line.confidence)} sure; by character:`);
  text.addEventListener("pointerleave", () => look());
  row.text.replaceChildren(text, about);
}

// Draws the box over a picture. Returns the shape that marks a part of it.
function drawBox(picture) {
  const {content} = make("template", {innerHTML: `<svg aria-hidden="true" preserveAspectRatio="none">
    <polygon></polygon><polygon class="part"></polygon></svg>`});
  const [all, part] = content.querySelectorAll("polygon");
  content.firstChild.setAttribute("viewBox", `0 0 ${box.size.join(" ")}`);
  all.setAttribute("points", box.corners.join(" "));
  picture.append(content);
  return part;
}

// The corners of a part of the line in the box, in pixels of the picture.
function partOfBox(start, end) {
  const [a, b, c, e, f, g, h, i] = box.transform, bottom = box.line[1];
  return [[start, 0], [end, 0], [end, bottom], [start, bottom]].map(([x, y]) => {
    const d = h * x + i * y + 1;
    return `${(a * x + b * y + c) / d},${(e * x + f * y + g) / d}`;
  }).join(" ");
}

function paint(canvas, map) {
  canvas.width = map.length;
  const pen = canvas.getContext("2d");
  map.forEach((share, step) => {
    pen.fillStyle = `rgb(22 103 199 / ${0.08 + 0.92 * share})`;
    pen.fillRect(step, 0, 1, 1);
  });
}

// --- events

for (const id of ["files", "camera"]) $(id).addEventListener("change", event => {
  add(event.target.files);
  event.target.value = "";
});
let inside = 0;
addEventListener("dragenter", () => { inside++; $("drop").classList.add("over"); });
addEventListener("dragleave", () => { if (!--inside) $("drop").classList.remove("over"); });
addEventListener("dragover", event => event.preventDefault());
addEventListener("drop", event => {
  event.preventDefault();
  inside = 0;
  $("drop").classList.remove("over");
  add(event.dataTransfer.files);
});
addEventListener("paste", event => {
  if (event.target.closest("input[type=password]")) return;
  event.preventDefault();
  add(event.clipboardData.files);
});
$("clear").addEventListener("click", () => {
  if (unsaved > WORTH_ASKING && !warned) {
    $("status").textContent = `${unsaved} readings have not been copied or downloaded. Press Clear again to discard them.`;
    warned = true;
    return;
  }
  clearing.abort();
  clearing = new AbortController();
  for (const {address} of results) URL.revokeObjectURL(address);
  $("rows").replaceChildren();
  results.length = 0;
  unsaved = 0;
  warned = false;
  $("results").hidden = true;
  $("status").textContent = "";
  $("files").focus();
});
const HIDDEN = /[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;  // as in ocr_simple/messages.py
function table() {
  // A spreadsheet runs what begins with =, +, - or @, unless ' is before it; and a terminal obeys
  // control characters, which have no place in a cell, as have invisible ones.
  const cell = value => String(value).replace(HIDDEN, " ")
    .replace(/^[=+\-@＝＋－＠]/, "'$&");
  const rows = finished().map(r => [r.name, r.text, r.error ? r.error : r.confidence.toFixed(5)].map(cell).join("\t"));
  return ["image\ttext\tconfidence", ...rows].join("\n") + "\n";
}
const finished = () => results.filter(result => result.done);
function kept(done) {
  unsaved = 0;
  warned = false;
  const count = finished().length, waiting = results.length - count;
  return `${count} ${count === 1 ? "row" : "rows"} ${done}${waiting ? `; ${waiting} not read yet` : ""}.`;
}
$("copy").addEventListener("click", async () => {
  const tsv = table();
  let copied = true;
  try { await navigator.clipboard.writeText(tsv); }
  catch {  // browsers have no clipboard without HTTPS: copy from a text area
    const area = make("textarea", {value: tsv});
    document.body.append(area);
    area.select();
    copied = document.execCommand("copy");
    area.remove();
    $("copy").focus();
  }
  $("status").textContent = copied ? kept("copied") : "This browser does not allow copying: use Download TSV.";
});
$("save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([table()], {type: "text/tab-separated-values"}));
  make("a", {href: address, download: "texts.tsv"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
  $("status").textContent = kept("downloaded");
});
addEventListener("beforeunload", event => { if (unsaved > WORTH_ASKING) event.preventDefault(); });
