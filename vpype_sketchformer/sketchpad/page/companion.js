// The model's side of the page: asks for suggestions, shows them, and what it takes the
// drawing for. Emits "take" with lines, and the drawing that they stand
// in for, if they do; and "label" with a class.

import { bounds, element } from "./paper.js";

const COUNT = 8;
const REMEMBERED = 30;   // sets of suggestions that undo can bring back
const HOLD = 400;        // milliseconds that a thumbnail is held down to be seen large
const LENGTHS = [[1, "one stroke"], [2, "two strokes"], [3, "three strokes"], [5, "five strokes"],
  [8, "eight strokes"], [null, "the whole drawing"]];
const MANNERS = [[0.15, "plain"], [0.45, "calm"], [0.75, "free"], [1, "loose"], [Infinity, "wild"]];

const find = id => document.getElementById(id);

// What suggestions are added to: nothing, where they take the place of the drawing.
const contextOf = wish => wish.like ? [] : wish.strokes.map(stroke => stroke.points);

export class Companion extends EventTarget {
  #wire; #paper; #request = 0; #suggestions = []; #shown = 0; #taken = 0; #over = true; #only = null;
  #pressed = null; #wish = null; #context = []; #later = null;
  #ranking = [];
  #memory = [];            // of suggestions that were there: what for, which, and the guess

  constructor(wire, paper) {
    super();
    this.#wire = wire;
    this.#paper = paper;
    find("strip").prepend(...Array.from({ length: COUNT }, (_, i) => this.#thumbnail(i)));
    wire.addEventListener("suggestion", ({ detail }) => this.#drawn(detail));
    wire.addEventListener("suggested", ({ detail }) => this.#finished(detail));
    wire.addEventListener("rest", ({ detail }) => this.#rest(detail));
    wire.addEventListener("guess", ({ detail }) => this.#guessed(detail));
    find("take").onclick = () => this.take();
    find("take-stroke").onclick = () => this.takeStroke();
    find("refuse").onclick = () => this.refuse();
    for (const id of ["temperature", "length"]) find(id).addEventListener("input", () => this.#tell());
  }

  set temperature(value) {
    const slider = find("temperature");
    slider.min = Math.min(slider.min, value);
    slider.max = Math.max(slider.max, value);
    slider.value = value;
    this.#tell();
  }

  #tell() {
    const temperature = Number(find("temperature").value);
    const [, manner] = MANNERS.find(([most]) => temperature <= most);
    find("temperature-text").textContent = manner;
    find("temperature").setAttribute("aria-valuetext", manner);
    const [, length] = LENGTHS[find("length").value];
    find("length-text").textContent = length;
    find("length").setAttribute("aria-valuetext", length);
  }

  // The number of what was asked for last; refusing it counts, too.
  get request() { return this.#request; }

  canAsk = false;          // whether there is something to go on with

  get hasSome() { return this.#suggestions.some(s => s?.lines.length); }

  // Whether others like the drawing are offered, to take its place.
  get isLike() { return this.hasSome && this.#wish.like === true; }

  get isShowing() { return this.#left.length > 0; }

  // Ask how a drawing could go on, see `wanted` in main.js.
  ask(wish) {
    this.#clear();
    find("suggestions").dataset.rests = false;
    if (this.#wish?.drawing !== wish.drawing) this.#ranking = [];
    this.#wish = wish;
    this.#context = contextOf(wish);
    this.#over = false;
    this.#show();
    const { drawing, label, oneLine, like = false } = wish;
    this.#wire.say({
      type: "suggest", request: ++this.#request, drawing, label, one_line: oneLine, like,
      temperature: Number(find("temperature").value), strokes: LENGTHS[find("length").value][0],
    });
  }

  // Show the suggestions again that were there for the same wish; tells if there were any.
  recall(wish) {
    const same = known => known.drawing === wish.drawing && known.label === wish.label
      && known.oneLine === wish.oneLine && known.strokes.length === wish.strokes.length
      && known.strokes.every((stroke, i) => stroke === wish.strokes[i]);
    const found = this.#memory.findLast(memory => same(memory.wish));
    if (!found) return false;
    this.#clear();
    this.#wish = found.wish;
    this.#context = contextOf(found.wish);
    this.#suggestions = found.suggestions;
    this.#shown = found.shown;
    this.#showGuess(found.ranking);
    find("suggestions").dataset.rests = true;
    this.#show();
    return true;
  }

  #remember() {
    if (!this.#over || !this.hasSome || this.#only !== null || this.#taken) return;
    this.#memory = [...this.#memory, { wish: this.#wish, suggestions: this.#suggestions,
      shown: this.#shown, ranking: this.#ranking }].slice(-REMEMBERED);
  }

  // Stop suggesting: the pen is down.
  hush() {
    this.#request += 1;
    this.#clear();
    this.#wire.say({ type: "hush" });
  }

  refuse() {
    this.hush();
    this.#say("No suggestion is shown.");
  }

  forget() {
    this.hush();
    find("guess").hidden = true;
  }

  #clear() {
    this.#remember();
    this.#suggestions = [];
    this.#pressed = null;
    this.#shown = this.#taken = 0;
    this.#over = true;
    this.#only = null;
    this.#show();
  }

  #thumbnail(i) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "thumbnail";
    button.append(element("svg", { "aria-hidden": "true" }),
      Object.assign(document.createElement("kbd"), { textContent: i + 1 }),
      Object.assign(document.createElement("span"), { className: "name" }));
    button.onclick = () => this.choose(i);
    this.#enlarge(button);
    return button;
  }

  // Hold a thumbnail down to see it large.
  #enlarge(button) {
    const large = find("large");
    let wait, held = false;
    const stop = () => { clearTimeout(wait); large.hidden = true; };
    button.addEventListener("pointerdown", () => {
      held = false;
      wait = setTimeout(() => {
        held = true;
        large.replaceChildren(button.querySelector("svg").cloneNode(true));
        large.hidden = false;
      }, HOLD);
    });
    for (const kind of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(kind, stop);
    button.addEventListener("contextmenu", event => event.preventDefault());
    button.addEventListener("click", event => { if (held) event.stopImmediatePropagation(); held = false; }, true);
  }

  #drawn({ request, number, label, strokes, finished, anew }) {
    if (request !== this.#request || number !== (this.#only ?? number)) return;
    if (anew) {  // a better one, but not in the place of one that is looked at
      if (number === this.#pressed || number === this.#only) return;
      delete this.#suggestions[number];
    }
    if (!this.#suggestions[number] && !strokes.length) return;  // a dot, or off the page
    const suggestion = this.#suggestions[number] ??= { label, lines: [], finished: false };
    suggestion.lines.push(...strokes);
    suggestion.finished ||= finished;
    this.#show();
  }

  #rest({ request }) {
    if (request === this.#request) find("suggestions").dataset.rests = true;
  }

  #finished({ request }) {
    if (request !== this.#request) return;
    this.#over = true;
    // The first is of the likeliest class. Where there is none, show the next.
    if (!this.#suggestions[this.#shown])
      this.#shown = Math.max(0, this.#suggestions.findIndex(Boolean));
    this.#show();
    if (!this.hasSome) {
      find("hint").textContent = "The model has nothing to add.";
      this.#say("The model has nothing to add.");
    } else this.#say(`${this.#suggestions.filter(Boolean).length} ${this.isLike ? "others like it" : "suggestions"}. ${this.#described}`);
  }

  #guessed({ request, ranking }) {
    if (request === this.#request) this.#showGuess(ranking);
  }

  #showGuess(ranking) {
    this.#ranking = ranking;
    find("guess").hidden = this.#wish.label !== null || !ranking.length;
    find("guess").querySelector("ol").replaceChildren(...ranking
      .filter(([, share], i) => i === 0 || share > 0.03)
      .map(([label, share]) => {
        const item = document.createElement("li"), button = document.createElement("button");
        const percent = `${Math.round(100 * share)} %`;
        button.type = "button";
        button.style.setProperty("--share", share);
        button.title = `Draw a ${label}`;
        button.append(Object.assign(document.createElement("span"), { textContent: label }),
          Object.assign(document.createElement("span"), { textContent: percent }));
        button.onclick = () => this.dispatchEvent(new CustomEvent("label", { detail: label }));
        item.append(button);
        return item;
      }));
  }

  // Show a suggestion; the same chosen once more is taken.
  choose(i) {
    if (!this.#suggestions[i]) return;
    if (i === this.#pressed) { this.take(); return; }
    if (i !== this.#shown) this.#taken = 0;
    this.#shown = this.#pressed = i;
    this.#show();
    this.#say(this.#described);
  }

  get #described() {
    const { label } = this.#suggestions[this.#shown];
    const takes = this.isLike ? "puts it in the drawing’s place" : "takes it";
    return `Suggestion ${this.#shown + 1}${label ? `, ${label}` : ""}. Enter ${takes}.`;
  }

  get #left() {
    return this.#suggestions[this.#shown]?.lines.slice(this.#taken) ?? [];
  }

  take() {
    const lines = this.#left;
    if (!lines.length) return;
    const { finished } = this.#suggestions[this.#shown], instead = this.isLike ? this.#wish.drawing : null;
    this.hush();
    this.dispatchEvent(new CustomEvent("take", { detail: { lines, last: true, finished, instead } }));
  }

  takeStroke() {
    const [line, ...rest] = this.#left;
    if (!line || this.isLike) return;
    if (!rest.length && this.#over) { this.take(); return; }
    this.#taken += 1;
    this.#context = [...this.#context, line];
    this.dispatchEvent(new CustomEvent("take", { detail: { lines: [line], last: false } }));
    // What was suggested besides does not go with this stroke.
    this.#only = this.#shown;
    this.#suggestions = this.#suggestions.map((s, i) => i === this.#only ? s : undefined);
    this.#show();
  }

  #show() {
    const some = this.hasSome;
    find("suggestions").hidden = !some;
    find("hint").hidden = some;
    find("ask").hidden = some || !this.#over || !this.canAsk;
    find("suggestions-title").textContent = this.isLike ? "Others like it" : "How it could go on";
    find("like-hint").hidden = !this.isLike;
    find("take-stroke").hidden = this.isLike;
    this.#paper.showPale(this.#left, this.isLike ? this.#wish.drawing : null);
    this.#later ??= requestAnimationFrame(() => { this.#later = null; this.#showStrip(); });
  }

  // The small pictures, once a frame: what they go on with is one path, however much it is.
  #showStrip() {
    const some = this.hasSome, buttons = find("strip").children;
    const context = this.#context.map(points => `M${points.join(" ")}`).join("");
    const box = some && bounds([...this.#context, ...this.#suggestions.flatMap(s => s?.lines ?? [])]);
    for (let i = 0; i < COUNT; i++) {
      const suggestion = this.#suggestions[i], [svg, , name] = buttons[i].children;
      buttons[i].disabled = !suggestion;
      buttons[i].setAttribute("aria-pressed", some && i === this.#shown);
      buttons[i].setAttribute("aria-label",
        `Suggestion ${i + 1}${suggestion?.label ? `, ${suggestion.label}` : ""}`);
      name.textContent = suggestion?.label ?? "";
      svg.replaceChildren();
      if (!suggestion) continue;
      const side = Math.max(box.width, box.height, 1) * 1.16;
      svg.setAttribute("viewBox", [(box.left + box.right - side) / 2,
        (box.top + box.bottom - side) / 2, side, side].join(" "));
      svg.style.setProperty("--pen", side / 55);
      svg.append(element("path", { class: "you", d: context }), ...suggestion.lines.map(points =>
        element("polyline", { class: "model", points: points.join(" ") })));
    }
  }

  #say(text) {
    find("said").textContent = text;
  }
}
