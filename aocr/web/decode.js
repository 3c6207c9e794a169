// What a model gives for an image -> its line: text, confidence and characters. It equals
// aocr/reader.py, and for spans ocr_simple/decoding/greedy.py.

// A line is {text, confidence, characters}; a character {text, confidence, start, end, map}, with
// its edges in time steps, and in `map` how much of it each time step shows, from 0 to 1.

// The best path of CTC: the best class of each time step; runs of one class are collapsed and blanks,
// class 0, dropped. rows: log probabilities of each time step.
export function ctcGreedy(rows, alphabet) {
  const ids = rows.map(best), peaks = rows.map((row, step) => Math.exp(row[ids[step]]));
  const runs = [];
  for (let start = 0, end; start < ids.length; start = end) {
    for (end = start + 1; ids[end] === ids[start]; ) end++;
    if (ids[start]) runs.push({id: ids[start], start, end, confidence: Math.max(...peaks.slice(start, end))});
  }
  return ctcLine(runs, runs.length ? product(runs.map(run => run.confidence)) : Math.min(...peaks), rows, alphabet);
}

// The line of characters' runs {id, start, end, confidence}. Neighbours meet halfway across blanks.
export function ctcLine(runs, confidence, rows, alphabet) {
  const edges = runs.slice(1).map((run, i) => (runs[i].end + run.start) / 2);
  const characters = runs.map(({id, start, end, confidence}, i) => ({
    text: alphabet[id - 1],
    confidence,
    start: edges[i - 1] ?? start,
    end: edges[i] ?? end,
    map: Array.from(rows, row => Math.exp(row[id])),
  }));
  return {text: characters.map(character => character.text).join(""), confidence, characters};
}

// The line that an attention head wrote. ids: of its characters, then zeros; probabilities: of the
// characters and the end symbol, then ones; attention: over the time steps, for each character.
export function attentionLine(ids, probabilities, attention, alphabet) {
  const count = ids.filter(id => id).length;
  const edges = attentionEdges(attention.slice(0, count));
  const characters = Array.from({length: count}, (_, i) => ({
    text: alphabet[ids[i] - 1],
    confidence: probabilities[i],
    start: edges[i],
    end: edges[i + 1],
    map: Array.from(attention[i]),
  }));
  return {text: characters.map(c => c.text).join(""), confidence: product(probabilities), characters};
}

// A character's centre is the mean of its attention, and neighbours meet halfway. The outer edges are
// as far from their centres as the inner ones; a single character is as wide as its attention.
function attentionEdges(attention) {
  if (!attention.length) return [];
  const steps = attention[0].length;
  const centres = attention.map(row => row.reduce((sum, share, step) => sum + share * (step + 0.5), 0));
  for (let i = 1; i < centres.length; i++) centres[i] = Math.max(centres[i], centres[i - 1]);
  let edges;
  if (centres.length === 1) {
    const spread = attention[0].reduce((sum, share, step) => sum + share * (step + 0.5 - centres[0]) ** 2, 0);
    const half = 0.5 + Math.sqrt(3 * Math.max(0, spread));
    edges = [centres[0] - half, centres[0] + half];
  } else {
    const inner = centres.slice(1).map((centre, i) => (centres[i] + centre) / 2);
    edges = [2 * centres[0] - inner[0], ...inner, 2 * centres.at(-1) - inner.at(-1)];
  }
  return edges.map(edge => Math.min(Math.max(edge, 0), steps));
}

function best(row) {
  let found = 0;
  for (let id = 1; id < row.length; id++) if (row[id] > row[found]) found = id;
  return found;
}

const product = numbers => numbers.reduce((a, b) => a * b, 1);

// --- right-to-left text: see ocr_simple/right_to_left.py

const NUMBER = "E+(?:[SC]E+)*";  // 1,250.00 and 050-1234567
const LEFT_TO_RIGHT = new RegExp(  // what is written from left to right within right-to-left text
  "(?:(?:T*E[^RANL]*)?L(?:[^RAN]*(?:ET*|L))?" +  // words, with the numbers beside them
  `|T*${NUMBER}(?:T+${NUMBER})*T*` +  // numbers, with signs such as %
  "|N+(?:CN+)*)+",  // numbers in Arabic digits
  "g",
);

// A line as it is typed; the model reads right-to-left text from left to right. about: the model's
// description: alphabet, and for right-to-left ones kinds and mirrored.
export function inLogicalOrder(line, about) {
  if (!about.kinds) return line;
  const places = new Map(Array.from(about.alphabet, (character, i) => [character, i]));
  const mirrored = Array.from(about.mirrored);
  const kinds = line.characters.map(character => about.kinds[places.get(character.text)]).join("");
  const characters = readingOrder(kinds).map(([i, flip]) => {
    const character = line.characters[i];
    return flip ? {...character, text: mirrored[places.get(character.text)]} : character;
  });
  return {...line, text: characters.map(character => character.text).join(""), characters};
}

// [place, whether it is right-to-left] of each character, in logical order. kinds: of the characters
// in visual order, one letter each: R and A are right-to-left letters.
function readingOrder(kinds) {
  if (!/[RAN]/.test(kinds)) return Array.from(kinds, (_, place) => [place, false]);
  // marks belong to a Latin letter on their left, or else to the letter on their right
  kinds = kinds.replace(/(?<=L)M+/g, marks => "L".repeat(marks.length)).replaceAll("M", "R");
  // after an Arabic letter, digits are Arabic too
  kinds = kinds.replace(/(?<![^RA])[^RAL]+(?=A)/g, run => run.replaceAll("E", "N"));
  const order = [];
  let end = kinds.length;
  for (const run of [...kinds.matchAll(LEFT_TO_RIGHT)].reverse()) {
    const first = run.index, after = first + run[0].length;
    for (let place = end - 1; place >= after; place--) order.push([place, true]);
    for (let place = first; place < after; place++) order.push([place, false]);
    end = first;
  }
  for (let place = end - 1; place >= 0; place--) order.push([place, true]);
  return order;
}
