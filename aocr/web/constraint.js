// The most probable text that an export's constraint allows. The same as aocr/reader_constraint.py, which
// has more comments: model.json holds the allowed texts as an automaton, states and edges with class ids.

import {ctcLine} from "./decode.js";

const BEAM_WIDTH = 10, WIDEST = 100;  // prefixes of each length to keep: at first, and if no text is found
const BATCH = 64, LARGE_BATCH = 2048;  // prefixes that are extended together, before and after a text
const MOST_EXACT = 1e9;  // of an exact search in one line: prefixes times its time steps squared
const SMALLEST = Math.log(1.1754943508222875e-38);  // of float32

export class Constraint {
  // automaton: {first, ids, next, final, exact} of a description; classes: of the model.
  constructor({first, ids, next, final, exact}, classes) {
    Object.assign(this, {first, ids, next, classes, final: new Set(final)});
    this.prefixes = exact ? this.countPrefixes() : Infinity;
  }

  // How many prefixes of texts there are, if all edges lead to later states.
  countPrefixes() {
    const counts = new Array(this.first.length - 1).fill(1);
    for (let state = counts.length - 1; state >= 0; state--) {
      for (let edge = this.first[state]; edge < this.first[state + 1]; edge++) {
        if (this.next[edge] <= state) return Infinity;
        counts[state] += counts[this.next[edge]];
      }
    }
    return counts[0];
  }

  // The line of the most probable allowed text; an empty one of confidence 0 if none fits. rows: log
  // probabilities of each time step. greedy: the line that is most probable without a constraint.
  read(rows, greedy, alphabet) {
    const logs = Array.from(rows, row => Float64Array.from(row, value => Math.max(value, SMALLEST)));
    const exact = this.prefixes * logs.length ** 2 <= MOST_EXACT;
    const ids = this.search(logs, exact ? Infinity : BEAM_WIDTH);
    if (!ids) return {text: "", confidence: 0, characters: []};
    if (ids.map(id => alphabet[id - 1]).join("") === greedy.text) return greedy;
    const greedyIds = greedy.characters.map(character => alphabet.indexOf(character.text) + 1);
    const [ofText, ofGreedy] = [ids, greedyIds].map(these => {
      const last = trellis(logs, these, logAdd).at(-1);
      return last.length > 1 ? logAdd(last.at(-1), last.at(-2)) : last[0];
    });
    const ratio = Math.exp(Math.min(0, ofText - ofGreedy));
    const {runs, confidence} = align(logs, ids);
    return ctcLine(runs, Math.min(confidence, greedy.confidence * ratio), rows, alphabet);
  }

  // The class ids of the best text, or null; width: prefixes of each length that are kept.
  search(logs, width) {
    const shares = logs.map(row => row.map(Math.exp));
    const pending = [[null, [{row: 0, id: 0, state: 0, text: [], bound: Infinity}]]];
    let highest = -Infinity, text = null, cut = false;
    while (pending.length) {
      const [shorter, all] = pending.pop();
      const live = all.filter(({bound}) => bound > highest);
      if (!live.length) continue;
      const extended = live.map(beginning => extend(logs, shares, shorter && shorter[beginning.row], beginning.id));
      live.forEach(({state, text: found}, i) => {
        if (this.final.has(state) && extended[i].score > highest) [highest, text] = [extended[i].score, found];
      });
      const longer = this.longer(live, extended, highest);
      if (longer.length > width) cut = true;
      const kept = longer.slice(0, width), parts = [];
      const size = text ? LARGE_BATCH : Number.isFinite(width) ? width : BATCH;
      for (let first = 0; first < kept.length; first += size) parts.push([extended, kept.slice(first, first + size)]);
      pending.push(...parts.reverse());
    }
    if (!text && cut && width < WIDEST) return this.search(logs, Math.min(10 * width, WIDEST));
    return text;
  }

  // Prefixes with one more character and a bound above `least`, the best first.
  longer(live, extended, least) {
    const found = [];
    live.forEach(({state, text}, row) => {
      for (let edge = this.first[state]; edge < this.first[state + 1]; edge++) {
        const id = this.ids[edge], bound = extended[row].bounds[id];
        if (bound > least) found.push({row, id, state: this.next[edge], text: [...text, id], bound});
      }
    });
    return found.sort((a, b) => b.bound - a.bound);
  }
}

function logAdd(a, b) {
  const high = Math.max(a, b);
  return high === -Infinity ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

// A prefix's log probability, upper bounds for the texts that continue it with each class, and its
// forward variables. shorter: the result for the prefix without its last class `id`; null: it is empty.
function extend(logs, shares, shorter, id) {
  const steps = logs.length, classes = logs[0].length;
  const inBlank = new Float64Array(steps + 1).fill(-Infinity), total = new Float64Array(steps + 1);
  let inLast = -Infinity, repeats = -Infinity, top = -Infinity;
  if (!shorter) inBlank[0] = 0;
  const before = shorter && (shorter.id === id ? shorter.inBlank : shorter.total);  // the same: after a blank
  total[0] = inBlank[0];
  for (let t = 0; t < steps; t++) {
    repeats = logAdd(repeats, inBlank[t] + logs[t][id]);
    top = Math.max(top, total[t]);
    const blank = logAdd(inLast, inBlank[t]) + logs[t][0];
    inLast = logAdd(inLast, before ? before[t] : -Infinity) + logs[t][id];
    inBlank[t + 1] = blank;
    total[t + 1] = logAdd(inLast, blank);
  }
  const bounds = new Float64Array(classes);
  if (top > -Infinity) {
    for (let t = 0; t < steps; t++) {
      const path = Math.exp(total[t] - top);
      if (path) for (let c = 0; c < classes; c++) bounds[c] += path * shares[t][c];
    }
  }
  for (let c = 0; c < classes; c++) bounds[c] = Math.log(bounds[c]) + top;
  bounds[id] = repeats;  // the same character needs a blank between
  return {id, inBlank, total, bounds, score: total[steps]};
}

// Log probabilities of a text's alignments up to each step and state: blank, character, blank, …
// combine: logAdd for the sum over alignments, Math.max for the best one.
function trellis(logs, ids, combine) {
  const classes = [0, ...ids.flatMap(id => [id, 0])];
  const result = [new Float64Array(classes.length).fill(-Infinity)];
  result[0][0] = 0;
  for (const row of logs) {
    const before = result.at(-1);
    result.push(before.map((reached, state) => {
      if (state) reached = combine(reached, before[state - 1]);
      if (skips(classes, state)) reached = combine(reached, before[state - 2]);
      return reached + row[classes[state]];
    }));
  }
  return result;
}

// Whether a state may follow the one before the blank.
const skips = (classes, state) => state % 2 && state > 2 && classes[state] !== classes[state - 2];

// The best alignment of a text: its characters' runs of time steps, and the product of their highest
// probabilities.
function align(logs, ids) {
  if (!ids.length) return {runs: [], confidence: Math.exp(Math.min(...logs.map(row => row[0])))};
  const classes = [0, ...ids.flatMap(id => [id, 0])], best = trellis(logs, ids, Math.max);
  const runs = ids.map(id => ({id, start: 0, end: 0, confidence: 0}));
  let state = classes.length - 1;
  if (best.at(-1)[state - 1] > best.at(-1)[state]) state--;
  for (let step = logs.length; step > 0; step--) {  // backwards along the alignment
    if (state % 2) {
      const run = runs[(state - 1) / 2];
      run.end ||= step;
      run.start = step - 1;
      run.confidence = Math.max(run.confidence, Math.exp(logs[step - 1][classes[state]]));
    }
    const before = best[step - 1];
    let from = state;
    if (state && before[state - 1] > before[from]) from = state - 1;
    if (skips(classes, state) && before[state - 2] > before[from]) from = state - 2;
    state = from;
  }
  return {runs, confidence: runs.reduce((product, run) => product * run.confidence, 1)};
}
