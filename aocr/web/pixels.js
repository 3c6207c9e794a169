// An image -> the model's input. It equals aocr/reader.py and ocr_simple/images.py, to one grey level:
// upright, without alpha, one luma formula, antialiased bilinear scaling in float, median 0 and
// standard deviation 1. A canvas would scale in another way, so it only gives the pixels.

const MOST_PIXELS = 50_000_000;  // of an image
const TILE_COLUMNS = 8192, TILE_PIXELS = 1 << 20;  // of an image that are in a canvas at a time, as browsers limit its size
const LIGHT_INK = 3.9;  // black goes behind transparent pixels if its contrast is so many times white's

// A file as a bitmap, upright by its EXIF orientation. Throws an Error for one that is no image.
export async function decode(file) {
  // applies the EXIF orientation by default; older browsers reject the option that asks for it
  const bitmap = await createImageBitmap(file, {colorSpaceConversion: "none"}).catch(() => {
    throw new Error("not an image, damaged, or a format that this browser cannot read; save it as PNG or JPEG");
  });
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    const size = `${bitmap.width} x ${bitmap.height} pixels`;
    bitmap.close();
    throw new Error(`${size}, over the limit of ${MOST_PIXELS.toLocaleString("en")}; crop it to the line, or scale it down`);
  }
  return bitmap;
}

// Anything that a canvas draws (a bitmap, another canvas) -> {width, height, planes}: 8 bits, without
// alpha, one plane of grey levels or three of colours.
export function levelsOf(image, channels) {
  const {width, height} = image, rgba = Array.from({length: 4}, () => new Uint8Array(width * height));
  const columns = Math.min(width, TILE_COLUMNS), rows = Math.min(height, Math.floor(TILE_PIXELS / columns));
  const canvas = Object.assign(document.createElement("canvas"), {width: columns, height: rows});
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  for (let top = 0; top < height; top += rows) {
    for (let left = 0; left < width; left += columns) {
      const across = Math.min(columns, width - left), down = Math.min(rows, height - top);
      pen.clearRect(0, 0, across, down);
      pen.drawImage(image, left, top, across, down, 0, 0, across, down);
      const {data} = pen.getImageData(0, 0, across, down);
      for (let i = 0; i < data.length; i++) {
        const pixel = i >> 2;
        rgba[i & 3][(top + Math.floor(pixel / across)) * width + left + pixel % across] = data[i];
      }
    }
  }
  const [red, green, blue, alpha] = rgba;
  if (alpha.some(level => level < 255)) removeAlpha(red, green, blue, alpha);
  return {width, height, planes: channels === 1 ? [lumaOf(red, green, blue)] : [red, green, blue]};
}

// Pillow's formula, which is exact in integers.
function lumaOf(red, green, blue) {
  return red.map((level, i) => (level * 19595 + green[i] * 38470 + blue[i] * 7471 + 0x8000) >> 16);
}

// Composite colours on white, or on black where white would hide the ink.
function removeAlpha(red, green, blue, alpha) {
  const luma = lumaOf(red, green, blue);
  const onBlack = varianceOf(alpha, luma), onWhite = varianceOf(alpha, luma.map(level => 255 - level));
  const behind = onBlack > LIGHT_INK ** 2 * onWhite ? 0 : 255;
  for (const plane of [red, green, blue]) {
    for (let i = 0; i < plane.length; i++) {
      const sum = plane[i] * alpha[i] + behind * (255 - alpha[i]) + 128;
      plane[i] = ((sum >> 8) + sum) >> 8;  // divided by 255 and rounded
    }
  }
}

// Of the product of two planes.
function varianceOf(alpha, ink) {
  let total = 0, squares = 0;
  for (let i = 0; i < alpha.length; i++) {
    const level = alpha[i] * ink[i];
    total += level;
    squares += level * level;
  }
  return squares / alpha.length - (total / alpha.length) ** 2;
}

// The level line in a box of levels, by bilinear interpolation, as aocr/reader.py does it. crop: of the
// model's description: the size of the line, and the perspective from it to the picture.
export function straighten({width, height, planes}, {line: [columns, rows], transform}) {
  const [a, b, c, e, f, g, h, i] = transform, lines = planes.map(() => new Uint8Array(columns * rows));
  const inside = (place, size) => Math.min(size - 1, Math.max(0, place));
  for (let row = 0, place = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, place++) {
      const x = column + 0.5, y = row + 0.5, d = h * x + i * y + 1;
      const u = (a * x + b * y + c) / d - 0.5, v = (e * x + f * y + g) / d - 0.5;
      const [left, right] = [0, 1].map(more => inside(Math.floor(u) + more, width));
      const [top, bottom] = [0, 1].map(more => width * inside(Math.floor(v) + more, height));
      const toRight = u - Math.floor(u), down = v - Math.floor(v);
      planes.forEach((plane, channel) => {
        const above = plane[top + left] * (1 - toRight) + plane[top + right] * toRight;
        const below = plane[bottom + left] * (1 - toRight) + plane[bottom + right] * toRight;
        lines[channel][place] = above * (1 - down) + below * down + 0.5;
      });
    }
  }
  return {width: columns, height: rows, planes: lines};
}

// For each place of `to`, the first place of `from` that it is made of, and the weights from there.
function filters(from, to) {
  const scale = from / to, support = Math.max(1, scale);
  return Array.from({length: to}, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = Array.from({length: end - first}, (_, i) =>
      Math.max(0, 1 - Math.abs((first + i - centre + 0.5) / support)));
    const total = weights.reduce((a, b) => a + b, 0);
    return {first, weights: weights.map(weight => weight / total)};
  });
}

// Antialiased bilinear scaling of a plane, as Pillow does it in its mode F: columns, then rows.
function resize(plane, width, height, toWidth, toHeight) {
  const wide = new Float32Array(toWidth * height), scaled = new Float32Array(toWidth * toHeight);
  filters(width, toWidth).forEach(({first, weights}, x) => {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let i = 0, place = y * width + first; i < weights.length; i++) sum += weights[i] * plane[place++];
      wide[y * toWidth + x] = sum;
    }
  });
  filters(height, toHeight).forEach(({first, weights}, y) => {
    for (let x = 0; x < toWidth; x++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * wide[(first + i) * toWidth + x];
      scaled[y * toWidth + x] = sum;
    }
  });
  return scaled;
}

// Levels -> {pixels, width}: float32 (height, width, channels). about: the model's description.
// Throws an Error for a line of over `mostColumns` columns.
export function prepare({width, height, planes}, about, mostColumns) {
  const toHeight = about.height, toWidth = Math.max(1, Math.floor(width * toHeight / height + 0.5));
  if (toWidth > mostColumns) {
    throw new Error(`${width} x ${height} pixels, ${toWidth} columns at the model's height of ` +
      `${toHeight}, over the limit of ${mostColumns}; cut it into pieces`);
  }
  const scaled = height === toHeight ? planes : planes.map(p => resize(p, width, height, toWidth, toHeight));
  const pixels = new Float32Array(toHeight * toWidth * planes.length);
  scaled.forEach((plane, channel) => plane.forEach((level, i) => { pixels[i * planes.length + channel] = level; }));
  normalise(pixels, about.least_spread);
  return {pixels, width: toWidth};
}

function normalise(pixels, leastSpread) {
  const ordered = pixels.slice().sort(), middle = ordered.length >> 1;
  const median = ordered.length % 2 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
  let sum = 0, squares = 0;
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] -= median;
    sum += pixels[i];
    squares += pixels[i] * pixels[i];
  }
  const mean = sum / pixels.length;
  const spread = Math.sqrt(Math.max(0, squares / pixels.length - mean * mean));
  const divisor = Math.max(leastSpread, spread);
  for (let i = 0; i < pixels.length; i++) pixels[i] /= divisor;
}
