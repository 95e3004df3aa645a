// What is on the page, how it came there, and what vpype does not know of it yet.
// A stroke is {drawing, by, points, pen, pressure}, points flat: x, y, x, y; pen is empty for the
// plain one; pressure, from 0 to 1 at each point, may be missing. Strokes are never changed, only replaced; so a change is which strokes were there before
// it, and which after.

import { bounds } from "./paper.js";

const STEPS = 1000;        // that can be undone

const round = x => Math.round(x * 100) / 100;

export class Pad extends EventTarget {
  strokes = new Map();
  labels = new Map();      // drawing: class
  drawing = 1;             // the one that is being drawn
  pen = "";                // what new strokes are drawn with; empty for the plain one
  #next = 1;
  #done = [];
  #undone = [];
  #number = 0;
  #unkept = new Map();     // stroke: number of the change that vpype has not kept yet
  #unkeptLabels = new Map();

  load(page) {
    this.strokes = new Map(Object.entries(page.strokes).map(([id, s]) => [Number(id), s]));
    this.labels = new Map(Object.entries(page.labels).map(([d, label]) => [Number(d), label]));
    this.#next = Math.max(0, ...this.strokes.keys()) + 1;
    this.drawing = Math.max(1, ...this.drawings);
    this.#done = [];
    this.#undone = [];
    this.#unkept.clear();
    this.#unkeptLabels.clear();
    this.#tell();
  }

  get drawings() {
    return [...new Set([...this.strokes.values()].map(stroke => stroke.drawing))].sort((a, b) => a - b);
  }

  of(drawing) {
    return [...this.strokes].filter(([, stroke]) => stroke.drawing === drawing);
  }

  // Where the pen was lifted last in the drawing, or null.
  get lastPoint() {
    const last = this.of(this.drawing).at(-1)?.[1].points;
    return last ? last.slice(-2) : null;
  }

  get canUndo() { return this.#done.length > 0; }
  get canRedo() { return this.#undone.length > 0; }

  add(lines, by, pressure = []) {
    this.change(new Map(lines.map(points => [this.#next++, {
      drawing: this.drawing, by, points: points.map(round), pen: this.pen,
      ...pressure.length && { pressure },
    }])));
  }

  // Put copies of strokes on the page.
  put(strokes) {
    this.change(new Map(strokes.map(stroke =>
      [this.#next++, { ...stroke, points: stroke.points.map(round) }])));
  }

  // Put other lines in the place of a drawing, drawn by the model or as before. Each has the pen
  // of the stroke that lies where it lies.
  replace(drawing, lines, by = null) {
    const old = this.of(drawing), sides = points => Object.values(bounds([points]));
    const places = old.map(([, stroke]) => ({ stroke, place: sides(stroke.points) }));
    this.change(new Map([...old.map(([id]) => [id, null]), ...lines.map(points => {
      const place = sides(points);
      const far = ({ place: other }) => Math.hypot(...place.map((x, i) => x - other[i]));
      const { stroke } = places.reduce((best, next) => far(next) < far(best) ? next : best);
      return [this.#next++, { drawing, by: by ?? stroke.by, points: points.map(round), pen: stroke.pen }];
    })]));
  }

  // Put strokes, null for those that go. One step to undo, together with the last if it goes
  // on with that.
  change(after, goesOn = false) {
    if (!after.size) return;
    const before = goesOn && this.canUndo ? this.#done.pop().before
      : new Map([...after.keys()].map(id => [id, this.strokes.get(id) ?? null]));
    this.#done = [...this.#done, { before, after }].slice(-STEPS);
    this.#undone = [];
    this.#apply(after);
  }

  undo() { this.#step(this.#done, this.#undone, "before"); }
  redo() { this.#step(this.#undone, this.#done, "after"); }

  #step(from, to, side) {
    const change = from.pop();
    if (!change) return;
    to.push(change);
    this.#apply(change[side]);
    const stroke = [...change.before.values(), ...change.after.values()].find(Boolean);
    this.drawing = stroke?.drawing ?? this.drawing;
    this.#tell();
  }

  #apply(strokes) {
    this.#number += 1;
    for (const [id, stroke] of strokes) {
      if (stroke) this.strokes.set(id, stroke); else this.strokes.delete(id);
      this.#unkept.set(id, this.#number);
    }
    // In drawing order, also where an old stroke came back.
    this.strokes = new Map([...this.strokes].sort(([a], [b]) => a - b));
    this.#tell();
  }

  name(label) {
    this.#number += 1;
    if (label) this.labels.set(this.drawing, label); else this.labels.delete(this.drawing);
    this.#unkeptLabels.set(this.drawing, this.#number);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  get isKept() { return !this.#unkept.size && !this.#unkeptLabels.size; }

  // What vpype has not kept, as a message.
  get news() {
    const ids = [...this.#unkept.keys()];
    const put = ids.filter(id => this.strokes.has(id)).map(id => [id, this.strokes.get(id)]);
    return {
      type: "change",
      number: this.#number,
      put: Object.fromEntries(put),
      drop: ids.filter(id => !this.strokes.has(id)),
      labels: Object.fromEntries([...this.#unkeptLabels.keys()].map(d => [d, this.labels.get(d) ?? null])),
    };
  }

  kept(number) {
    for (const unkept of [this.#unkept, this.#unkeptLabels])
      for (const [key, since] of unkept) if (since <= number) unkept.delete(key);
  }
}
