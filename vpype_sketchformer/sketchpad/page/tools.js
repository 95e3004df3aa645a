// What the pointer, and the keys in its place, do on the paper: draw, erase, move and scale.

import { Ink, pressures, simplify } from "./ink.js";
import { bounds, pairs } from "./paper.js";

const REACH = 8;             // pixels of the screen from a line that still hit it
const STEP = 8, LEAP = 40;   // pixels of the page that an arrow key moves

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Draws strokes.
class Draw {
  constructor(tools) { this.tools = tools; }

  down(point, event) {
    const { tools } = this;
    const last = tools.oneLine ? tools.pad.lastPoint : null;
    this.straight = null;
    this.samples = event.pointerType === "pen" ? [[...point, event.pressure]] : [];
    this.ink = new Ink(last ?? point);
    if (last) this.ink.points.push(point);
    this.ink.pointer = this.ink.pen = point;
    tools.paper.showWet(this.ink.line);
    tools.dispatchEvent(new Event("begin"));
  }

  // With Shift the line is a straight one, at a multiple of 15 degrees.
  move(points, events = []) {
    this.straight = events.at(-1)?.shiftKey ? snapped(this.ink.points[0], points.at(-1)) : null;
    if (!this.straight) points.forEach(point => this.ink.add(point));
    if (this.samples.length) events.forEach((event, i) => {
      if (event.buttons) this.samples.push([...points[i], event.pressure]);
    });
    const line = this.straight ?? this.ink.line;
    this.tools.paper.showWet(line, this.#pressures(line), this.tools.pad.pen);
  }

  #pressures(line) {
    return this.samples.length > 1 && !this.straight ? pressures(this.samples, line) : [];
  }

  up() {
    const points = this.straight ?? this.ink.finish();
    const pressure = this.#pressures(points);
    this.cancel();
    this.tools.pad.add([points.flat()], "you", pressure);
  }

  cancel() {
    this.tools.paper.showWet([]);
  }
}

function snapped(from, to) {
  const [dx, dy] = to.map((x, i) => x - from[i]), step = Math.PI / 12;
  const angle = step * Math.round(Math.atan2(dy, dx) / step);
  const length = dx * Math.cos(angle) + dy * Math.sin(angle);
  return [from, [from[0] + length * Math.cos(angle), from[1] + length * Math.sin(angle)]];
}

// Erases whole strokes that it touches.
class Erase {
  constructor(tools) { this.tools = tools; }

  down(point) {
    this.gone = new Map();
    this.at = point;
    this.move([point]);
  }

  move(points) {
    const { pad, paper } = this.tools;
    for (const point of points) for (const place of this.#way(point))
      for (const id of paper.hits(pad.strokes, place, REACH)) {
        this.gone.set(id, null);
        paper.node(id)?.classList.add("going");
      }
  }

  // The places on the way to a point: a quick hand must not jump over a line.
  #way(to) {
    const from = this.at, shift = to.map((x, i) => x - from[i]);
    const steps = Math.ceil(Math.hypot(...shift) / (REACH * this.tools.paper.grain)) || 1;
    this.at = to;
    return Array.from({ length: steps }, (_, k) => from.map((x, i) => x + (k + 1) / steps * shift[i]));
  }

  up() {
    this.tools.pad.change(this.gone);
  }

  cancel() {
    for (const id of this.gone.keys()) this.tools.paper.node(id)?.classList.remove("going");
  }
}

// Moves the drawings that are chosen, scales them by a corner of their frame, or turns them by the
// handle above. Shift chooses several, and so does a drag over bare paper.
class Move {
  constructor(tools) { this.tools = tools; }

  down(point, event) {
    const { pad, paper } = this.tools;
    const corner = event.target.dataset?.corner;
    if (corner === undefined) {
      const [hit] = paper.hits(pad.strokes, point, 2 * REACH);
      const box = this.tools.box;
      const inside = box && point[0] >= box.left && point[0] <= box.right &&
        point[1] >= box.top && point[1] <= box.bottom;
      const drawing = pad.strokes.get(hit)?.drawing;
      this.grabbed = (drawing !== undefined || inside) && !event.shiftKey;
      this.spans = drawing === undefined && !this.grabbed;
      this.adds = event.shiftKey;
      if (drawing !== undefined && this.adds) this.tools.toggle(drawing);
      else if (drawing !== undefined && !inside) this.tools.choose(drawing);
    } else {
      this.grabbed = true;
      this.spans = false;
    }
    this.from = this.to = point;
    this.turns = corner === "turn";
    this.anchor = corner === undefined ? null : this.turns ? this.#middle : this.#opposite(Number(corner));
  }

  get #middle() {
    const { left, top, right, bottom } = this.tools.box;
    return [(left + right) / 2, (top + bottom) / 2];
  }

  #opposite(corner) {
    const { left, top, right, bottom } = this.tools.box;
    return [[right, bottom], [left, bottom], [left, top], [right, top]][corner];
  }

  get #change() {
    if (!this.anchor) return shifting(...this.to.map((x, i) => x - this.from[i]));
    const [from, to] = [this.from, this.to].map(point => point.map((x, i) => x - this.anchor[i]));
    if (this.turns) return turning(Math.atan2(to[1], to[0]) - Math.atan2(from[1], from[0]), this.anchor);
    return scaling(Math.max(0.05, Math.hypot(...to) / (Math.hypot(...from) || 1)), this.anchor);
  }

  move(points) {
    this.to = points.at(-1);
    if (this.spans) this.tools.paper.showSpan(bounds([[...this.from, ...this.to]]));
    if (!this.grabbed) return;
    for (const node of this.#nodes) node.setAttribute("transform", this.#change.toString());
  }

  up() {
    const matrix = this.#change, moved = this.grabbed && !matrix.isIdentity;
    this.cancel();
    if (moved) this.tools.transform(matrix);
    if (this.spans) this.tools.chooseIn(bounds([[...this.from, ...this.to]]), this.adds);
  }

  cancel() {
    this.tools.paper.showSpan(null);
    for (const node of this.#nodes) node.removeAttribute("transform");
  }

  get #nodes() {
    const { chosen, paper } = this.tools;
    return [...chosen.map(drawing => paper.group(drawing)), paper.frame];
  }
}

const round = x => Math.round(x * 100) / 100;
const moved = (stroke, { a, b, c, d, e, f }) => ({ ...stroke, points: pairs(stroke.points)
  .flatMap(([x, y]) => [round(a * x + c * y + e), round(b * x + d * y + f)]) });
const shifting = (dx, dy) => new DOMMatrix([1, 0, 0, 1, dx, dy]);
const scaling = (factor, [x, y]) => new DOMMatrix([factor, 0, 0, factor, x * (1 - factor), y * (1 - factor)]);
const turning = (angle, [x, y]) =>
  shifting(x, y).rotate(angle * 180 / Math.PI).translate(-x, -y);

// Emits "begin" when the pen goes down to draw, "stroke" when something was done on the paper,
// "drawing" when another drawing was chosen, "tool" when another tool was, "frame" when what is
// chosen may have changed.
export class Tools extends EventTarget {
  oneLine = false;
  #tools; #name = "draw"; #pointer = null; #penSeen = false; #nib = null; #keyed = null;
  #also = new Set();       // the drawings that were chosen together
  #touches = new Map();    // where fingers are on the screen: two of them pinch
  #panning = null;         // where the pointer was that moves the view
  handy = false;           // whether the next pointer moves the view: the space bar is down
  panned = false;          // whether it did since

  constructor(svg, pad, paper) {
    super();
    Object.assign(this, { svg, pad, paper });
    this.#tools = { draw: new Draw(this), erase: new Erase(this), move: new Move(this) };
    svg.addEventListener("pointerdown", event => this.#down(event));
    svg.addEventListener("pointermove", event => this.#move(event));
    svg.addEventListener("pointerup", event => this.#up(event));
    svg.addEventListener("pointercancel", event => { this.#touches.delete(event.pointerId); this.stop(); });
    svg.addEventListener("wheel", event => this.#wheel(event), { passive: false });
    svg.addEventListener("look", () => this.showFrame());
    svg.addEventListener("touchstart", event => event.preventDefault(), { passive: false });
    svg.addEventListener("blur", () => this.#showNib(null));
    pad.addEventListener("change", () => this.showFrame());
  }

  get name() { return this.#name; }
  get isBusy() { return this.#pointer !== null || this.#keyed !== null; }

  use(name) {
    this.stop();
    this.#name = this.svg.dataset.tool = name;
    this.showFrame();
    this.dispatchEvent(new Event("tool"));
  }

  // Choose drawings; the last one is the one that is being drawn.
  choose(...drawings) {
    this.#also = new Set(drawings);
    this.pad.drawing = drawings.at(-1);
    this.showFrame();
    this.dispatchEvent(new Event("drawing"));
  }

  // Choose one more, or one less.
  toggle(drawing) {
    const others = this.chosen.filter(other => other !== drawing);
    if (!this.chosen.includes(drawing)) this.choose(...others, drawing);
    else if (others.length) this.choose(...others);
  }

  // Choose what has a point in a box.
  chooseIn({ left, top, right, bottom }, adds) {
    const found = this.pad.drawings.filter(drawing => this.pad.of(drawing).some(([, { points }]) =>
      pairs(points).some(([x, y]) => x >= left && x <= right && y >= top && y <= bottom)));
    const all = new Set([...adds ? this.chosen : [], ...found]);
    if (all.size) this.choose(...all);
  }

  // The drawings that are chosen: with the moving tool, those; else the one that is being drawn.
  get chosen() {
    const { drawing, drawings } = this.pad;
    if (this.#name !== "move" || !this.#also.has(drawing)) return [drawing];
    return [...this.#also].filter(also => drawings.includes(also));
  }

  get strokes() {
    const chosen = new Set(this.chosen);
    return [...this.pad.strokes].filter(([, stroke]) => chosen.has(stroke.drawing));
  }

  // The box around what is chosen.
  get box() {
    const lines = this.strokes.map(([, stroke]) => stroke.points);
    return lines.length ? bounds(lines) : null;
  }

  showFrame() {
    this.paper.showFrame(this.#name === "move" ? this.box : null);
    this.dispatchEvent(new Event("frame"));
  }

  // Move, scale or turn what is chosen.
  transform(matrix, goesOn) {
    this.pad.change(new Map(this.strokes.map(([id, stroke]) => [id, moved(stroke, matrix)])), goesOn);
  }

  // Line up the drawings that are chosen at a side of their common box, or its middle.
  align(side) {
    const all = this.box, across = side === "centre" || side === "left" || side === "right";
    const place = box => ({ centre: (box.left + box.right) / 2, middle: (box.top + box.bottom) / 2, ...box })[side];
    this.pad.change(new Map(this.chosen.flatMap(drawing => {
      const strokes = this.pad.of(drawing);
      const by = place(all) - place(bounds(strokes.map(([, stroke]) => stroke.points)));
      return strokes.map(([id, stroke]) => [id, moved(stroke, across ? shifting(by, 0) : shifting(0, by))]);
    })));
  }

  stop() {
    if (!this.isBusy) return;
    this.#pointer = this.#keyed = null;
    this.#tools[this.#name].cancel();
  }

  #down(event) {
    this.#penSeen ||= event.pointerType === "pen";
    const palm = this.#penSeen && event.pointerType === "touch";
    if (event.pointerType === "touch") this.#touches.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.#touches.size === 2) { this.stop(); return; }
    if (this.handy || event.button === 1) {
      event.preventDefault();
      this.svg.setPointerCapture(event.pointerId);
      this.#panning = [event.clientX, event.clientY];
      this.panned = true;
      return;
    }
    if (this.isBusy || palm || event.button !== 0 || this.#touches.size > 1) return;
    event.preventDefault();
    this.svg.focus({ preventScroll: true });
    this.svg.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#showNib(null);
    this.#tools[this.#name].down(this.paper.at(event), event);
  }

  #move(event) {
    const here = [event.clientX, event.clientY];
    if (this.#panning) {
      this.paper.pan(...here.map((x, i) => (x - this.#panning[i]) * this.paper.grain));
      this.#panning = here;
      return;
    }
    if (this.#touches.size === 2 && this.#touches.has(event.pointerId)) { this.#pinch(event.pointerId, here); return; }
    if (event.pointerId !== this.#pointer) return;
    const all = event.getCoalescedEvents?.() ?? [], events = all.length ? all : [event];
    this.#tools[this.#name].move(events.map(e => this.paper.at(e)), events);
  }

  // One of two fingers has moved: the page goes with both.
  #pinch(id, here) {
    const before = this.#touches.get(id);
    const [, other] = [...this.#touches].find(([key]) => key !== id);
    const apart = point => Math.hypot(point[0] - other[0], point[1] - other[1]);
    this.#touches.set(id, here);
    this.paper.pan(...here.map((x, i) => (x - before[i]) / 2 * this.paper.grain));
    const [clientX, clientY] = here.map((x, i) => (x + other[i]) / 2);
    this.paper.zoomBy(apart(here) / (apart(before) || 1), this.paper.at({ clientX, clientY }));
  }

  #wheel(event) {
    event.preventDefault();
    if (this.isBusy) return;
    const { grain } = this.paper;
    if (event.shiftKey) this.paper.pan(-event.deltaX * grain, -event.deltaY * grain);
    else this.paper.zoomBy(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 300), this.paper.at(event));
  }

  #up(event) {
    this.#touches.delete(event.pointerId);
    this.#panning = null;
    if (event.pointerId !== this.#pointer) return;
    const tool = this.#tools[this.#name];
    tool.move([this.paper.at(event)], [event]);
    this.#pointer = null;
    tool.up();
    this.dispatchEvent(new Event("stroke"));
  }

  // The keyboard's pen: arrows move it, the full stop puts it down and lifts it. With the
  // moving tool, arrows move the drawing, plus and minus scale it. Tells if the key did something.
  key(event) {
    const arrow = ARROWS[event.key];
    if (this.#name === "move") return this.#keyMove(event, arrow);
    if (!arrow && event.key !== "." || this.#pointer !== null) return false;
    const tool = this.#tools[this.#name];
    const nib = this.#nib ?? this.pad.lastPoint ?? this.paper.size.map(x => x / 2);
    if (arrow) {
      const step = event.shiftKey ? LEAP : STEP;
      const to = nib.map((x, i) => Math.min(Math.max(0, x + step * arrow[i]), this.paper.size[i]));
      if (this.#keyed) {
        this.#keyed.push(to);
        tool.move([to]);
      }
      this.#showNib(to);
    } else if (this.#keyed) {
      const points = simplify(this.#keyed, 0.01);
      this.#keyed = null;
      if (this.#name === "erase") tool.up();
      else {
        tool.cancel();
        if (points.length > 1) this.pad.add([points.flat()], "you");
      }
      this.dispatchEvent(new Event("stroke"));
      this.#showNib(nib);
    } else {
      const start = this.oneLine && this.#name === "draw" ? this.pad.lastPoint ?? nib : nib;
      this.#keyed = [start];
      tool.down(start, event);
      this.#showNib(start);
    }
    return true;
  }

  #keyMove(event, arrow) {
    const box = this.box;
    const factor = { "+": 1.1, "=": 1.1, "-": 1 / 1.1 }[event.key];
    const angle = { "<": -Math.PI / 24, ">": Math.PI / 24 }[event.key];
    if (!box || !arrow && !factor && !angle) return false;
    const middle = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    const step = event.shiftKey ? LEAP : STEP;
    const matrix = arrow ? shifting(...arrow.map(x => x * step))
      : factor ? scaling(factor, middle) : turning(angle, middle);
    this.transform(matrix, event.repeat);
    this.dispatchEvent(new Event("stroke"));
    return true;
  }

  #showNib(point) {
    this.#nib = point;
    this.paper.nib.toggleAttribute("hidden", !point);
    if (!point) return;
    this.paper.nib.setAttribute("cx", point[0]);
    this.paper.nib.setAttribute("cy", point[1]);
    this.paper.nib.setAttribute("r", 5 * this.paper.grain);
    this.paper.nib.classList.toggle("down", this.#keyed !== null);
  }
}
