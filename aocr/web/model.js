// The model of this page: an image -> its line.

import * as runtime from "./onnxruntime.js";
import {Constraint} from "./constraint.js";
import {attentionLine, ctcGreedy, inLogicalOrder} from "./decode.js";
import {levelsOf, prepare, straighten} from "./pixels.js";

// Columns of an image at the model's height. Time and memory of an attention head grow with their
// square, and so does the search for a text that a constraint allows.
const MOST_COLUMNS = 16_000, ATTENTION_COLUMNS = 4_000, CONSTRAINED_COLUMNS = 1_000;

async function content(name) {
  const answer = await fetch(name).catch(() => null);
  if (!answer?.ok) throw new Error(`${name} cannot be loaded; reload the page, or copy the whole folder again`);
  return new Uint8Array(await answer.arrayBuffer());
}

// Some servers send a .gz file decompressed.
async function decompressed(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

export class Model {
  // Load everything, and read once, as the first time is slow. Throws an Error that says what is missing.
  static async load() {
    const [about, network, code] = await Promise.all([
      content("model.json").then(bytes => JSON.parse(new TextDecoder().decode(bytes))),
      content("model.onnx"),
      content("onnxruntime.wasm.gz").then(decompressed),
    ]);
    Object.assign(runtime.env.wasm, {wasmBinary: code, numThreads: 1});
    const session = await runtime.InferenceSession.create(network, {executionProviders: ["wasm"]});
    const model = new Model(about, session);
    await model.read(Object.assign(document.createElement("canvas"), {width: 64, height: 32}));
    return model;
  }

  constructor(about, session) {
    Object.assign(this, {about, session, busy: Promise.resolve()});
    this.alphabet = Array.from(about.alphabet);
    const automaton = about.constraint?.automaton;
    if (automaton) this.constraint = new Constraint(automaton, this.alphabet.length + 1);
    this.mostColumns = automaton ? CONSTRAINED_COLUMNS : about.head === "ctc" ? MOST_COLUMNS : ATTENTION_COLUMNS;
  }

  // The line in anything that a canvas draws; its characters' edges are in pixels of the image, or of
  // the line in the box that is kept for images of its size, which `cropped` says. framed: whether the
  // user has chosen the part of the picture already.
  async read(image, framed = false) {
    const [boxWidth, boxHeight] = this.about.crop?.size ?? [];
    const cropped = !framed && image.width === boxWidth && image.height === boxHeight;
    let levels = levelsOf(image, this.about.channels);
    if (cropped) levels = straighten(levels, this.about.crop);
    const {pixels, width} = prepare(levels, this.about, this.mostColumns);
    const line = this.decode(await this.run(pixels, width), Math.ceil(width / this.about.stride));
    const perStep = this.about.stride * levels.width / width;
    for (const character of line.characters) {
      character.start *= perStep;
      character.end = Math.min(levels.width, character.end * perStep);
    }
    return Object.assign(inLogicalOrder(line, this.about), {cropped});
  }

  // The outputs of the network for prepared pixels, which are padded with zeros on their right.
  run(pixels, width) {
    const {height, channels, multiple} = this.about;
    const columns = Math.ceil(width / multiple) * multiple;
    const padded = new Float32Array(height * columns * channels);
    for (let y = 0; y < height; y++) {
      padded.set(pixels.subarray(y * width * channels, (y + 1) * width * channels), y * columns * channels);
    }
    const inputs = {
      image: new runtime.Tensor("float32", padded, [1, height, columns, channels]),
      width: new runtime.Tensor("int32", Int32Array.of(width), [1]),
    };
    const outputs = this.busy.then(() => this.session.run(inputs));  // one at a time
    this.busy = outputs.catch(() => {});
    return outputs;
  }

  // steps: the valid time steps of the line.
  decode({log_probabilities: logs, ids, probabilities, attention}, steps) {
    if (ids) {
      const numbers = Array.from(ids.data, Number);
      return attentionLine(numbers, [...probabilities.data], rowsOf(attention, numbers.length, steps), this.alphabet);
    }
    if (logs.dims[2] !== this.alphabet.length + 1)
      throw new Error("model.onnx and model.json do not belong together: reload the page, or copy the whole folder again");
    const rows = rowsOf(logs, steps), line = ctcGreedy(rows, this.alphabet);
    return this.constraint ? this.constraint.read(rows, line, this.alphabet) : line;
  }
}

// The first `count` rows of a tensor (1, rows, columns), and of each the first `width` columns.
function rowsOf({data, dims}, count, width = dims[2]) {
  return Array.from({length: count}, (_, row) => data.subarray(row * dims[2], row * dims[2] + width));
}
