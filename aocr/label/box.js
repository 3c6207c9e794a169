// The box around the line of text: drawn on the picture, moved by its corners, read while it is drawn,
// and kept. The labelling page inlines it before page.js, whose state and functions it uses.

let crop = null;  // the box that is drawn: {points, chosen}; points: in pixels of the picture, null until it is there
let lastBox = null;  // the one kept last, and the size of its picture

/** The place on the page of a point [x, y] of the picture, which may be turned. */
function placed([x, y]) {
  const {naturalWidth: w, naturalHeight: h} = $("image");
  return ({0: [x, y], 90: [h - y, x], 180: [w - x, h - y], 270: [y, w - x]})[turned].map(at => at * scale);
}

/** A distance on the page in the picture's pixels, turned back. */
function unturned(right, down) {
  return ({0: [right, down], 90: [down, -right], 180: [-right, -down], 270: [-down, right]})[turned].map(by => by / scale);
}

const convex = points => points.every(([x, y], i) => {
  const [nx, ny] = points[(i + 1) % 4], [mx, my] = points[(i + 2) % 4];
  return (nx - x) * (my - ny) - (ny - y) * (mx - nx) > 0 && Math.hypot(nx - x, ny - y) >= 2;
});

function drawBox() {
  const points = crop?.points?.map(placed);
  document.body.classList.toggle("cropping", Boolean(crop));
  $("crop").setAttribute("aria-pressed", Boolean(crop));
  $("crop").disabled = Boolean(state?.picture?.error) && !state.picture.box.length;
  $("cropping").hidden = !crop;
  $("form").hidden = $("read").hidden = Boolean(crop);
  $("box").hidden = !points;
  if (!points) return;
  const {style} = $("frame"), path = points.map(point => point.join()).join(" L ");
  $("outline").setAttribute("points", points.join(" "));
  $("shade").setAttribute("d", `M 0 0 H ${parseFloat(style.width)} V ${parseFloat(style.height)} H 0 Z M ${path} Z`);
  for (const [i, corner] of document.querySelectorAll(".corner").entries())
    [corner.style.left, corner.style.top] = points[i].map(at => `${at}px`);
}

function startCropping() {
  const {picture} = state;
  if ($("crop").disabled) return;
  if (crop) return dropBox();
  crop = {points: null, chosen: 0};
  turned = 0;
  $("frame").hidden = false;
  $("trouble").hidden = true;
  $("line").removeAttribute("src");
  inside("");
  $("remove").disabled = !picture.box.length;
  showImage(address(picture.number, []));  // all of it; when it is there, `firstBox`
  look();
}

function firstBox() {
  const {naturalWidth: w, naturalHeight: h} = $("image"), {box} = state.picture;
  const rectangle = [[.1, .2], [.9, .2], [.9, .8], [.1, .8]].map(([x, y]) => [x * w, y * h]);
  crop.points = box.length ? [0, 2, 4, 6].map(i => box.slice(i, i + 2))
    : lastBox && lastBox.w === w && lastBox.h === h ? lastBox.points : rectangle;
  drawBox();
  document.querySelector(".corner").focus({preventScroll: true});
  lookInside();
}

/** Move some corners of the box by pixels of the picture; without a box, nothing. */
function move(corners, right, down, from = crop?.points) {
  if (!from) return;
  const {naturalWidth: w, naturalHeight: h} = $("image");
  const within = (at, most) => Math.min(most, Math.max(0, Math.round(at * 10) / 10));
  let points = from.map(([x, y], i) => corners.includes(i) ? [x + right, y + down] : [x, y]);
  if (corners.length === 4 && points.some(([x, y]) => x < 0 || y < 0 || x > w || y > h)) return;
  points = points.map(([x, y]) => [within(x, w), within(y, h)]);
  if (!convex(points)) return;
  crop.points = points;
  drawBox();
  lookInside();
}

function inside(text, reading = null) {
  $("inside").className = text && !reading ? "nothing" : "";
  $("inside").replaceChildren(...(reading ? [...text].map((character, i) => {
    return underline(make("span", {textContent: character}), reading.confidences[i] ?? 0);
  }) : [text]));
}

let looking = 0, reads = false;
/** Show the line in the box, and what is read there, once the corners rest. */
function lookInside() {
  clearTimeout(looking);
  looking = setTimeout(async () => {
    if (!crop?.points) return;
    if (reads) { lookInside(); return; }
    const corners = crop.points.flat(), drawn = crop;
    $("line").src = address(shown, corners);
    reads = true;
    let found = null;
    try { found = await ask("read", {number: shown, corners}); } catch (error) { found = {error: whatFailed(error)}; }
    reads = false;
    if (crop !== drawn || !found || String(crop.points.flat()) !== String(corners)) return;
    const {reading, error} = found;
    if (reading?.text) inside(reading.text, reading);
    else inside(error ?? (reading ? "Read as blank" : state.problem ? "No readings" : "The model is being loaded …"));
    if (!error && !reading && !state.problem) setTimeout(lookInside, POLL);
  }, 200);
}

async function keepBox(toAll, corners = crop?.points?.flat()) {
  if (!corners || busy) return;
  const drawn = crop, {naturalWidth: w, naturalHeight: h} = $("image");
  crop = null;
  shownBox = "?";  // shown again, even if nothing has changed
  if (await act("box", {number: shown, corners, to_all: toAll})) {
    if (corners.length) lastBox = {points: drawn.points, w, h};
  } else {  // the box stays drawn, to be kept again
    crop = drawn;
    shownBox = String(state.picture.box);
    drawBox();
  }
}

function dropBox() {
  shownBox = "?";
  crop = null;
  show(state);
}

let drag = null;  // where the pointer was at first, the corners that it moves, and where all corners were
for (const [i, corner] of document.querySelectorAll(".corner").entries()) {
  corner.addEventListener("pointerdown", event => hold(event, [i]));
  corner.addEventListener("focus", () => { if (crop) crop.chosen = i; });
}
$("outline").addEventListener("pointerdown", event => hold(event, [0, 1, 2, 3]));
function hold(event, corners) {
  drag = {x: event.clientX, y: event.clientY, corners, from: crop.points};
  event.currentTarget.setPointerCapture(event.pointerId);
}
$("box").addEventListener("pointermove", event => {
  if (drag && crop) move(drag.corners, ...unturned(event.clientX - drag.x, event.clientY - drag.y), drag.from);
});
for (const end of ["pointerup", "pointercancel"]) $("box").addEventListener(end, () => { drag = null; });
$("crop").addEventListener("click", startCropping);
$("keep").addEventListener("click", () => keepBox(false));
$("keep-all").addEventListener("click", () => keepBox(true));
$("remove").addEventListener("click", () => keepBox(false, []));
$("drop").addEventListener("click", dropBox);

/** What a key does while a box is drawn; nothing for the other keys. */
function cropKey(event) {
  const arrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  if (event.key in arrows) {
    const step = Math.max(1, Math.max($("image").naturalWidth, $("image").naturalHeight) / 250) * (event.shiftKey ? 5 : 1);
    return () => move([crop.chosen], ...unturned(...arrows[event.key].map(by => by * step * scale)));
  }
  if (/^[1-4]$/.test(event.key)) return () => document.querySelectorAll(".corner")[event.key - 1].focus();
  const onButton = document.activeElement.matches("button:not(.corner)");
  return event.key === "Enter" ? !onButton && (() => keepBox(false))
    : letter(event) === "a" ? () => keepBox(true) : ({Escape: dropBox, F6: dropBox, PageUp: () => resize(1.25),
      PageDown: () => resize(0.8), Delete: () => { if (!$("remove").disabled) keepBox(false, []); }})[event.key];
}
