// From what the pointer does to a line that looks drawn with ink.
// Points are [x, y], in the page's pixels.

const TREMBLE = 3;        // steps of the pointer up to about this long are the hand's trembling
const SHARP = 0.9;        // radians: a sharper turn is a corner, and stays one
const NEAR = 0.4;         // points closer than this tell nothing new
const DETAIL = 0.12;      // how far the kept line may be from the smooth one: 0.03 mm
const DOT = 0.4;          // a tap leaves a line this long

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

// A stroke while it is drawn. When the hand is slow, the pen follows the pointer a little behind,
// which takes out the trembling of the hand and the steps of the screen.
export class Ink {
  constructor(point) {
    this.points = [point];
    this.pointer = this.pen = point;
  }

  add(point) {
    this.pointer = point;
    const follow = 1 - 0.6 * Math.exp(-distance(this.pen, point) / TREMBLE);
    this.pen = this.pen.map((x, i) => x + follow * (point[i] - x));
    if (distance(this.pen, this.points.at(-1)) > NEAR) this.points.push(this.pen);
  }

  // The line as it stands, for the screen.
  get line() {
    return [...this.points, this.pointer];
  }

  // The line as it stays: a smooth one to where the pointer was lifted, without needless points.
  finish() {
    const points = [...this.points];
    if (distance(this.pointer, points.at(-1)) > NEAR) points.push(this.pointer);
    if (points.length < 2) return [points[0], [points[0][0] + DOT, points[0][1]]];
    return simplify(curve(points), DETAIL);
  }
}

// How hard the pen was pressed along a line: samples are [x, y, pressure], in drawing order, of
// the hand that drew it. Empty where the pen knows nothing of it.
export function pressures(samples, points) {
  const all = samples.map(sample => sample[2]);
  if (Math.max(...all) - Math.min(...all) < 0.05) return [];
  const [given, asked] = [shares(samples), shares(points)];
  let i = 0;
  return asked.map(share => {
    while (i + 2 < given.length && given[i + 1] < share) i += 1;
    const s = Math.min(1, Math.max(0, (share - given[i]) / (given[i + 1] - given[i] || 1)));
    return Math.round(100 * (all[i] + s * (all[i + 1] - all[i]))) / 100;
  });
}

// How much of a line comes before each of its points.
function shares(points) {
  let sum = 0;
  const lengths = points.map((point, i) => sum += i ? distance(points[i - 1], point) : 0);
  return lengths.map(length => length / (sum || 1));
}

// The outline of a line that is so wide at its points.
export function outline(points, widths) {
  const sides = points.map(([x, y], i) => {
    const [a, b] = [points[Math.max(i - 1, 0)], points[Math.min(i + 1, points.length - 1)]];
    const reach = widths[i] / 2 / (distance(a, b) || 1);
    return [x, y, reach * (a[1] - b[1]), reach * (b[0] - a[0])];
  });
  return [...sides.map(([x, y, dx, dy]) => [x + dx, y + dy]),
    ...sides.reverse().map(([x, y, dx, dy]) => [x - dx, y - dy])];
}

// How far the line turns at a point, in radians.
function turn(a, b, c) {
  const by = Math.atan2(c[1] - b[1], c[0] - b[0]) - Math.atan2(b[1] - a[1], b[0] - a[0]);
  return Math.abs(Math.atan2(Math.sin(by), Math.cos(by)));
}

// A centripetal Catmull-Rom curve through the points, as a fine polyline; corners stay.
function curve(points) {
  const result = [points[0]];
  const isSmooth = i =>
    i > 0 && i + 1 < points.length && turn(points[i - 1], points[i], points[i + 1]) < SHARP;
  for (let i = 0; i + 1 < points.length; i++) {
    const [b, c] = [points[i], points[i + 1]];
    const a = isSmooth(i) ? points[i - 1] : b.map((x, k) => 2 * x - c[k]);
    const d = isSmooth(i + 1) ? points[i + 2] : c.map((x, k) => 2 * x - b[k]);
    const steps = Math.min(16, Math.ceil(distance(b, c) / 1.5));
    for (let step = 1; step <= steps; step++) result.push(between(a, b, c, d, step / steps));
  }
  return result;
}

// The point between b and c at share s, by the pyramid of Barry and Goldman (1988).
function between(a, b, c, d, s) {
  const t0 = 0, t1 = t0 + Math.sqrt(distance(a, b) || 1e-6);
  const t2 = t1 + Math.sqrt(distance(b, c) || 1e-6), t3 = t2 + Math.sqrt(distance(c, d) || 1e-6);
  const t = t1 + s * (t2 - t1);
  const mix = (p, q, from, to) =>
    p.map((x, i) => x + (q[i] - x) * (t - from) / (to - from));
  const ab = mix(a, b, t0, t1), bc = mix(b, c, t1, t2), cd = mix(c, d, t2, t3);
  return mix(mix(ab, bc, t0, t2), mix(bc, cd, t1, t3), t1, t2);
}

// Leave out points that lie on the line anyway (Ramer 1972; Douglas and Peucker 1973).
export function simplify(points, tolerance) {
  const keep = new Set([0, points.length - 1]);
  const spans = [[0, points.length - 1]];
  while (spans.length) {
    const [first, last] = spans.pop();
    let farthest = 0, where = 0;
    for (let i = first + 1; i < last; i++) {
      const off = toSegment(points[i], points[first], points[last]);
      if (off > farthest) [farthest, where] = [off, i];
    }
    if (farthest > tolerance) {
      keep.add(where);
      spans.push([first, where], [where, last]);
    }
  }
  return points.filter((_, i) => keep.has(i));
}

// How far a point is from the segment a b.
export function toSegment(point, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const along = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / (dx * dx + dy * dy || 1);
  const s = Math.max(0, Math.min(1, along));
  return Math.hypot(point[0] - a[0] - s * dx, point[1] - a[1] - s * dy);
}
