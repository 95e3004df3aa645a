// Puts the page together: buttons, keys and dialogs.

import { Companion } from "./companion.js";
import { showKeyList } from "./keys.js";
import { Pad } from "./pad.js";
import { Paper, bounds, element, lengthOf } from "./paper.js";
import { Tools } from "./tools.js";
import { Wire } from "./wire.js";

const APART = 20;        // pixels from a drawing to its copy
const MM = 96 / 25.4;    // pixels
const PNG_SIDE = 2400;   // pixels of a picture's longer side

const find = id => document.getElementById(id);

const wire = new Wire();
const pad = new Pad();
const paper = new Paper(find("paper"));
const tools = new Tools(find("paper"), pad, paper);
const companion = new Companion(wire, paper);

let classes = new Map();   // as the model writes them, by their small letters
let begun = false;     // whether vpype has told what is on the page
let told = false;      // whether vpype has been told something that it has not kept yet
let sent = false;      // whether the page has gone down the pipeline
let trouble = "";      // why vpype could not keep what is on the page

// ----- What vpype says -----------------------------------------------------------------------

wire.addEventListener("welcome", ({ detail }) => {
  notify("");
  told = false;
  if (!begun || detail.opened) {
    begin(detail);
  } else {  // the connection is back, and what was drawn meanwhile is here
    flush();
    refresh();
  }
});

function begin(page) {
  if (!begun) {
    classes = new Map(page.classes.map(name => [name.toLowerCase(), name]));
    find("classes").replaceChildren(...page.classes.map(name => new Option(name, name)));
    companion.temperature = page.temperature;
    find("one-line").checked = tools.oneLine = page.one_line;
    find("done-form").elements.way.value = page.way;
    offerSizes(page.sizes);
    paper.pens = page.pens;
    find("like").hidden = find("chosen-like").hidden = !page.sees;
    find("pen").append(...Object.keys(page.pens).map(name => new Option(name, name)));
  }
  paper.fit(page.size, page.pipeline);
  showSize(page.size);
  pad.load(page);
  if (!begun && page.label) pad.name(page.label);
  offerEarlier(page.earlier);
  find("first").hidden = begun || page.earlier.length > 0 || pad.strokes.size > 0;
  begun = true;
  showSubject();
  suggest();
}

wire.addEventListener("kept", ({ detail }) => {
  told = false;
  if (trouble) notify("The drawing is kept again.");
  trouble = "";
  pad.kept(detail.number);
  flush();
  showKept();
});
wire.addEventListener("not_kept", ({ detail }) => {
  told = false;
  trouble = detail.text;
  notify(`The drawing is not kept on disk (${trouble}). Draw on, and download it, or send it down `
    + "the pipeline: closing vpype would lose it.", true);
  showKept();
});
wire.addEventListener("trouble", ({ detail }) => notify(detail.text));
wire.addEventListener("closing", ({ detail }) => {
  sent = detail.finished;
  flush();
  wire.say({ type: "bye" });
});
wire.addEventListener("lost", () => {
  showKept();
  if (!sent) notify("The connection to vpype is lost. Draw on; what you draw stays here until it is back.");
});
wire.addEventListener("refused", ({ detail }) =>
  end("vpype did not understand this page", `${detail} Load the page again; what was kept is there.`));
wire.addEventListener("busy", () =>
  end("The sketchpad is open in another tab", "Draw there, or go on here.", true));
wire.addEventListener("elsewhere", () =>
  end("The sketchpad has moved to another tab", "Draw there, or take it back.", true));
wire.addEventListener("gone", () => {
  end("vpype has gone", "What was kept on disk is offered again when you start the sketchpad the "
    + "next time." + (pad.isKept ? "" : " What you drew since is on this page alone: take it with you."));
  find("rescue").hidden = pad.isKept;
});
wire.addEventListener("over", ({ detail: reason }) => {
  if (sent) {
    end("Done", "Your drawing has gone down the pipeline. You can close this page, or draw on for yourself.");
    find("draw-on").hidden = false;
    return;
  }
  const lost = reason || !pad.isKept && trouble;
  end("The sketchpad has ended", "It was ended in the terminal. " + (!pad.strokes.size ? "" : lost
    ? `What is on this page is not kept (${lost}): take it with you.`
    : "Your drawing is kept, and is offered again when you start the sketchpad the next time."));
  find("rescue").hidden = !lost || !pad.strokes.size;
});

// ----- What changes on the page --------------------------------------------------------------

pad.addEventListener("change", () => {
  paper.show(pad.strokes);
  if (plan) showPlan(null);
  find("undo").disabled = !pad.canUndo;
  find("redo").disabled = !pad.canRedo;
  find("new").disabled = !pad.of(pad.drawing).length;
  find("earlier").hidden ||= pad.strokes.size > 0;
  companion.canAsk = pad.of(pad.drawing).length > 0;
  if (begun && !told) flush();
  showKept();
});

// The hint for the first time goes away by doing what it says.
function learnt(what) {
  find(`first-${what}`).classList.add("learnt");
  if (!document.querySelector("#first li:not(.learnt, #first-done)")) find("first").hidden = true;
}
find("first-close").onclick = () => { find("first").hidden = true; };

function flush() {
  if (pad.isKept) return;
  wire.say(pad.news);
  told = wire.isOpen;
}

function showKept() {
  const state = sent ? "" : !wire.isOpen ? "not connected" : pad.isKept ? (pad.strokes.size ? "kept" : "")
    : trouble ? "not kept" : "keeping";
  find("kept").textContent = state;
  find("kept").dataset.state = state;
}

// What suggestions go on with, and what they are to show.
function wanted() {
  return {
    drawing: pad.drawing,
    label: pad.labels.get(pad.drawing) ?? null,
    oneLine: tools.oneLine,
    strokes: pad.of(pad.drawing).map(([, stroke]) => stroke),
  };
}

function suggest() {
  const wish = wanted();
  if (!wish.strokes.length && !wish.label) { companion.forget(); return; }
  flush();
  companion.ask(wish);
}

const PAUSE = 250;     // milliseconds between two refreshes: keys can be held
let refreshed = -PAUSE, later;

// After a change: new suggestions, if they are wanted without asking.
function refresh() {
  clearTimeout(later);
  if (tools.isBusy) return;
  const wait = refreshed + PAUSE - performance.now();
  if (wait > 0) {  // what is asked for or refused until then holds
    const { request } = companion;
    later = setTimeout(() => { if (companion.request === request) refresh(); }, wait);
    return;
  }
  refreshed = performance.now();
  if (find("eager").checked) suggest(); else companion.hush();
}

tools.addEventListener("begin", () => {
  companion.hush();
  if (plan) showPlan(null);
  if (wire.isOpen) notify("");
});
tools.addEventListener("frame", () => {
  const { chosen, name, strokes } = tools;
  find("chosen").hidden = name !== "move" || !strokes.length;
  for (const button of document.querySelectorAll("[data-align]")) button.hidden = chosen.length < 2;
});
tools.addEventListener("drawing", () => { showSubject(); refresh(); });
tools.addEventListener("tool", () => {
  for (const button of document.querySelectorAll("button[data-tool]"))
    button.setAttribute("aria-pressed", button.dataset.tool === tools.name);
});
tools.addEventListener("stroke", () => { learnt("draw"); refresh(); });

companion.addEventListener("take", ({ detail: { lines, last, finished, instead = null } }) => {
  learnt("take");
  if (instead !== null) { change(instead, lines, "model"); return; }
  pad.add(lines, "model");
  if (!last) return;
  if (finished) say("Taken. The drawing looks finished. “New drawing” begins another one, “Suggest” goes on.");
  else refresh();
});
companion.addEventListener("label", ({ detail }) => setLabel(detail));

// Undo and redo bring back the suggestions that there were.
function travel(step) {
  companion.hush();
  pad[step]();
  showSubject();
  if (!companion.recall(wanted())) refresh();
}

// Tell vpype of the drawing that something is to be done to; tells whether that could be.
function canTell() {
  find("more-dialog").close();
  find("paper").focus();
  if (!pad.of(pad.drawing).length) return false;
  if (wire.isOpen) flush(); else notify("The connection to vpype is lost. Try again when it is back.");
  return wire.isOpen;
}

// Ask for others like the drawing: one that is taken stands in its place.
function like() {
  if (!canTell()) return;
  if (plan) showPlan(null);
  companion.ask({ ...wanted(), like: true });
  say("Drawing others like it …");
}
find("like").onclick = find("chosen-like").onclick = like;
function others() { if (companion.isLike) like(); else suggest(); }

// Ask for the drawing in another way: "join" to one unbroken line, which is shown before it is
// taken, or "clean".
let reworking = null, plan = null;
function rework(how) {
  if (!canTell()) return;
  companion.hush();
  reworking = wanted();
  wire.say({ type: "rework", drawing: pad.drawing, how });
}
wire.addEventListener("reworked", ({ detail: { drawing, how, strokes, bridges } }) => {
  const now = pad.of(drawing), before = reworking?.strokes ?? [];
  reworking = null;
  if (!strokes.length || now.length !== before.length || now.some(([, s], i) => s !== before[i])) return;
  if (how === "join") showPlan({ drawing, strokes, bridges });
  else change(drawing, strokes);
});

function change(drawing, strokes, by) {
  pad.replace(drawing, strokes, by);
  say("The drawing is changed. Undo brings it back as it was.");
}

function showPlan(next) {
  plan = next;
  paper.showPlan(next && { you: next.strokes, bridges: next.bridges });
  find("plan-bar").hidden = !next;
  if (!next) return;
  const length = next.bridges.reduce((sum, points) => sum + lengthOf(points), 0) / MM;
  const count = next.bridges.length, bridges = count === 1 ? "bridge" : "bridges";
  find("plan-text").textContent = !count ? "One line, without a bridge."
    : `One line, with ${count} ${bridges}, ${length < 10 ? length.toFixed(1) : Math.round(length)} mm.`;
  find("said").textContent = `${find("plan-text").textContent} Enter takes it, Escape leaves it.`;
}
find("plan-take").onclick = () => { change(plan.drawing, plan.strokes); find("paper").focus(); };
find("plan-leave").onclick = () => { showPlan(null); refresh(); find("paper").focus(); };
find("join").onclick = () => rework("join");
find("clean").onclick = () => rework("clean");

function newDrawing() {
  if (!pad.of(pad.drawing).length) return;
  pad.drawing = Math.max(...pad.drawings) + 1;
  find("new").disabled = true;
  companion.forget();
  showSubject();
  tools.use("draw");
  say("A new drawing.");
}

// Go to the next or the last drawing on the page.
function step(by) {
  const all = pad.drawings, at = all.indexOf(pad.drawing);
  if (!all.length) return;
  tools.choose(all[(Math.max(at, 0) + by + all.length) % all.length]);
  say(`Drawing ${all.indexOf(pad.drawing) + 1} of ${all.length}.`);
}

// ----- What is drawn -------------------------------------------------------------------------

function showSubject() {
  find("label").value = pad.labels.get(pad.drawing) ?? "";
  checkLabel();
}

// What is written in the field: a class, an empty string, or null for what nobody knows.
function checkLabel() {
  const written = find("label").value.trim().toLowerCase();
  const label = written ? classes.get(written) ?? null : "";
  find("forget").hidden = !written;
  find("label").setAttribute("aria-invalid", label === null);
  find("label-help").hidden = label !== null;
  return label;
}

function setLabel(label) {
  find("label").value = label;
  checkLabel();
  find("guess").hidden = true;
  if (label === (pad.labels.get(pad.drawing) ?? "")) return;
  pad.name(label);
  suggest();
}

find("label").addEventListener("input", () => {
  const label = checkLabel();
  find("label-help").hidden = true;  // while one is typing
  if (label) setLabel(label);
});
find("label").addEventListener("change", () => {
  const label = checkLabel();
  if (label !== null) { setLabel(label); return; }
  find("label-help").textContent = "The model does not know this one. The list shows what it knows.";
  if (!pad.labels.has(pad.drawing)) return;
  pad.name("");  // what was known half-way: a "dragon" before the "dragonfruit"
  suggest();
});
find("subject").addEventListener("submit", event => {  // Enter: named; once more takes
  event.preventDefault();
  find("label").dispatchEvent(new Event("change"));
  if (checkLabel() !== null) find("paper").focus();
  else find("label-help").hidden = false;
});
find("forget").onclick = () => setLabel("");

// ----- Buttons and keys ----------------------------------------------------------------------

for (const button of document.querySelectorAll("button[data-tool]"))
  button.onclick = () => tools.use(button.dataset.tool);
find("undo").onclick = () => travel("undo");
find("redo").onclick = () => travel("redo");
find("new").onclick = newDrawing;
find("again").onclick = others;
find("ask").onclick = suggest;
find("more").onclick = () => find("more-dialog").showModal();
find("keys").onclick = showKeys;
find("done").onclick = askDone;
find("eager").onchange = refresh;
find("one-line").onchange = ({ target }) => { tools.oneLine = target.checked; refresh(); };
find("temperature").onchange = find("length").onchange = () => { if (companion.hasSome && !companion.isLike) suggest(); };

const KEYS = [
  [["1–8"], "show a suggestion; once more takes it", /^[1-9]$/, ({ key }) => companion.choose(key - 1)],
  [["Enter"], "take the suggestion", "Enter", () => plan ? find("plan-take").click() : companion.take()],
  [["Space"], "take its next stroke", " ", ({ repeat }) => { if (!repeat) hold(true); }],
  [["R"], "other suggestions", "r", others],
  [["Esc"], "no suggestion", "Escape", () => {
    tools.stop();
    if (plan) find("plan-leave").click(); else companion.refuse();
  }],
  [["C"], "say what you are drawing", "c", () => find("label").focus()],
  [["L"], "draw in one line, or not", "l", () => find("one-line").click()],
  [["D"], "draw", "d", () => tools.use("draw")],
  [["E"], "erase", "e", () => tools.use("erase")],
  [["Shift"], "while drawing: a straight line"],
  [["+", "−", "0"], "larger, smaller, the whole sheet", /^[-+=0]$/, ({ key }) => zoom(key)],
  [["Space drag"], "move the view; the wheel and two fingers zoom"],
  [["M"], "choose, move, scale and turn; Shift chooses several", "m", () => tools.use("move")],
  [["A"], "choose all drawings", "a", () => { tools.use("move"); if (pad.strokes.size) tools.choose(...pad.drawings); }],
  [["Del"], "delete what is chosen", /^(Delete|Backspace)$/, remove],
  [["J"], "make one unbroken line of the drawing", "j", () => rework("join")],
  [["V"], "others like the drawing, to take its place", "v", like],
  [["N"], "begin another drawing", "n", newDrawing],
  [["[", "]"], "go to another drawing", /^[[\]]$/, ({ key }) => step(key === "[" ? -1 : 1)],
  [["Ctrl Z"], "undo"],
  [["Ctrl Shift Z"], "redo"],
  [["Arrows", "."], "on the paper: move the pen, and put it down or lift it"],
  [["Arrows", "+", "−", "<", ">"], "on the paper, with Move: move, scale and turn what is chosen"],
  [["Ctrl C", "Ctrl V"], "copy what is chosen, and put it down"],
  [["Ctrl Enter"], "done: send the page down the pipeline"],
  [["?"], "show the keys", "?", showKeys],
];

// Some models cannot draw others like a drawing.
const keys = () => KEYS.filter(([, , , action]) => action !== like || !find("like").hidden);

document.addEventListener("keydown", event => {
  if (document.querySelector("dialog[open]")) return;
  const { target, key } = event, command = event.ctrlKey || event.metaKey;
  if (command && ["z", "y", "Enter"].includes(key.length > 1 ? key : key.toLowerCase())) {
    if (target.id === "label" && key !== "Enter") return;
    event.preventDefault();
    if (key === "Enter") askDone();
    else travel(key.toLowerCase() === "y" || event.shiftKey ? "redo" : "undo");
    return;
  }
  if (command || event.altKey) return;
  if (target.matches("input:not([type=checkbox]), select, summary")) {
    if (key === "Escape") find("paper").focus();
    return;
  }
  if (target.matches("button, input") && [" ", "Enter"].includes(key)) return;
  if (target.id === "paper" && tools.key(event)) { event.preventDefault(); return; }
  const found = keys().find(([, , pattern]) =>
    pattern instanceof RegExp ? pattern.test(key) : pattern === key || pattern === key.toLowerCase());
  if (!found) return;
  event.preventDefault();
  found[3](event);
});

// The space bar takes a stroke when it is let go, unless the view was moved meanwhile.
function hold(down) {
  if (!down && tools.handy && !tools.panned) companion.takeStroke();
  tools.handy = down;
  tools.panned = false;
  find("paper").classList.toggle("handy", down);
}
document.addEventListener("keyup", ({ key }) => { if (key === " ") hold(false); });
addEventListener("blur", () => { tools.panned = true; hold(false); });

function zoom(key) {
  if (key === "0") paper.showAll(); else paper.zoomBy(key === "-" ? 1 / 1.25 : 1.25);
}
find("pen").onchange = ({ target }) => {
  pad.pen = target.value;
  const [colour, width] = paper.pens[pad.pen] ?? [null, 0.5];
  find("pen-line").style.stroke = !colour || colour === "#000000" ? "" : colour;
  find("pen-line").style.strokeWidth = 4 * width;
};
find("smaller").onclick = () => zoom("-");
find("larger").onclick = () => zoom("+");
find("whole").onclick = () => zoom("0");
find("paper").addEventListener("look", () => {
  find("whole").textContent = `${Math.round(100 * paper.zoom)} %`;
});

// The clipboard holds a mark; the strokes stay here.
let copied = [];
function copy() {
  copied = tools.strokes.map(([, stroke]) => stroke);
}
document.addEventListener("copy", event => {
  if (event.target.matches("input")) return;
  copy();
  if (!copied.length) return;
  event.clipboardData.setData("text/plain", "drawing");
  event.preventDefault();
  say("Copied.");
});
document.addEventListener("paste", event => {
  if (event.target.matches("input")) return;
  const [file] = event.clipboardData.files;
  if (file) { take(file); return; }
  if (event.clipboardData.getData("text/plain") !== "drawing" || !copied.length) return;
  event.preventDefault();
  putDown();
});

// Put down what was copied: each drawing becomes another one.
function putDown() {
  const first = Math.max(0, ...pad.drawings) + 1, olds = [...new Set(copied.map(s => s.drawing))];
  copied = copied.map(stroke => ({ ...stroke, points: stroke.points.map(x => x + APART) }));
  pad.put(copied.map(stroke => ({ ...stroke, drawing: first + olds.indexOf(stroke.drawing) })));
  companion.forget();
  tools.use("move");
  tools.choose(...olds.map((_, i) => first + i));
}
find("duplicate").onclick = () => { copy(); putDown(); };

function remove() {
  if (tools.name !== "move" || !tools.strokes.length) return;
  pad.change(new Map(tools.strokes.map(([id]) => [id, null])));
  companion.forget();
  say("Deleted. Undo brings it back.");
}
find("delete").onclick = remove;
for (const button of document.querySelectorAll("[data-align]"))
  button.onclick = () => { tools.align(button.dataset.align); refresh(); };

function showKeys() {
  find("more-dialog").close();
  showKeyList(keys());
}

// ----- The page, files -----------------------------------------------------------------------

let sizes = {};

function offerSizes(offered) {
  sizes = offered;
  find("sizes").hidden = !Object.keys(sizes).length;
  find("size").replaceChildren(...Object.keys(sizes).map(name =>
    new Option(name.replace(/^a/, "A").replace(/^[lt]/, x => x.toUpperCase()), name)));
}

function showSize([width, height]) {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const name = Object.keys(sizes).find(key =>
    Math.abs(sizes[key][0] - short) < 1 && Math.abs(sizes[key][1] - long) < 1);
  if (name) find("size").value = name;
  find("landscape").checked = width > height;
}

find("size").onchange = find("landscape").onchange = () => {
  const [short, long] = sizes[find("size").value];
  const size = find("landscape").checked ? [long, short] : [short, long];
  paper.fit(size, false);
  paper.trace(traced);
  wire.say({ type: "page", size });
  refresh();
};

function offerEarlier(pages) {
  find("earlier").hidden = !pages.length;
  find("earlier").querySelector(".pages").replaceChildren(...pages.map(page => {
    const button = document.createElement("button"), [width, height] = page.size;
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      element("rect", { class: "sheet", width, height }),
      ...page.strokes.map(points => element("polyline", { class: "you", points: points.join(" ") })));
    svg.style.setProperty("--pen", Math.max(width, height) / 100);
    const when = new Date(1000 * page.when);
    const time = document.createElement("time");
    time.dateTime = when.toISOString();
    time.textContent = when.toLocaleString([],
      { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
    button.append(svg, time);
    button.onclick = () => wire.say({ type: "open", name: page.name });
    return button;
  }));
}

// Files that were dropped or pasted: an SVG becomes ink, a picture is put under it to trace.
function take(file) {
  if (file.type === "image/svg+xml") read(file);
  else if (/^image\/(png|jpeg)$/.test(file.type)) trace(file);
  else notify("An SVG can be put on the page, a PNG or a JPEG under it to be traced.");
}
find("desk").addEventListener("dragover", event => event.preventDefault());
find("desk").addEventListener("drop", event => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});

let traced = null;
function trace(file) {
  URL.revokeObjectURL(traced);
  traced = file && URL.createObjectURL(file);
  paper.trace(traced);
  find("untrace").hidden = !file;
  find("more-dialog").close();
  if (file) say("The picture is there to be traced; it never goes down the pipeline.");
}
find("tracing").onclick = () => find("picture").click();
find("untrace").onclick = () => trace(null);
find("picture").onchange = ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (file) trace(file);
};

find("import").onclick = () => find("file").click();
find("file").onchange = ({ target }) => {
  const [file] = target.files;
  target.value = "";
  find("more-dialog").close();
  if (file) read(file);
};

async function read(file) {
  const answer = await fetch("import", { method: "POST", body: file }).then(
    response => response.ok ? response.json() : { trouble: "This file is too large." },
    () => ({ trouble: "The connection to vpype is lost." }));
  if (answer.trouble) { notify(answer.trouble); return; }
  place(answer.strokes);
}

// Put lines on the page as a drawing of their own: where they are, if there is paper.
function place(lines) {
  const box = bounds(lines), [width, height] = paper.size;
  const inside = box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height;
  const factor = Math.min(1, 0.9 * width / (box.width || 1), 0.9 * height / (box.height || 1));
  const shift = [(width - factor * (box.left + box.right)) / 2,
    (height - factor * (box.top + box.bottom)) / 2];
  if (pad.of(pad.drawing).length) newDrawing();
  pad.add(inside ? lines : lines.map(points => points.map((x, i) => factor * x + shift[i % 2])), "you");
  refresh();
}

find("download").onclick = find("rescue").onclick = find("notice-download").onclick = async () => {
  flush();
  const way = find("done-form").elements.way.value;
  const blob = wire.isOpen ? await (await fetch(`drawing.svg?way=${way}`)).blob()
    : new Blob([paper.asSvg(pad.strokes)], { type: "image/svg+xml" });
  hand(blob, "sketchpad.svg");
};

find("download-png").onclick = async () => {
  const svg = URL.createObjectURL(new Blob([paper.asSvg(pad.strokes)], { type: "image/svg+xml" }));
  const image = new Image(), [width, height] = paper.size;
  image.src = svg;
  await image.decode();
  URL.revokeObjectURL(svg);
  const scale = PNG_SIDE / Math.max(width, height), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height].map(x => Math.round(scale * x));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob(blob => hand(blob, "sketchpad.png"), "image/png");
};

function hand(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

find("clear").onclick = () => {
  find("more-dialog").close();
  pad.change(new Map([...pad.strokes.keys()].map(id => [id, null])));
  companion.forget();
  say("The page is empty. Undo brings everything back.");
};

// ----- Done ----------------------------------------------------------------------------------

function askDone() {
  const count = pad.strokes.size, drawings = pad.drawings.length;
  find("done-text").textContent = count === 0 ? "There is nothing on the page." :
    `${count} ${count === 1 ? "stroke" : "strokes"}` + (drawings > 1 ? ` in ${drawings} drawings` : "")
    + ", just where they are on the page.";
  find("done-pale").hidden = !companion.isShowing;
  find("take-along").checked = false;
  find("done-dialog").showModal();
  find("send").focus();
}

find("done-dialog").addEventListener("close", () => {
  if (find("done-dialog").returnValue !== "done") return;
  find("done-dialog").returnValue = "";
  if (!wire.isOpen) {
    notify("The connection to vpype is lost. Send the page when it is back.");
    return;
  }
  sent = true;
  if (find("take-along").checked) companion.take();
  companion.hush();
  flush();
  wire.say({ type: "done", way: find("done-form").elements.way.value });
});

addEventListener("beforeunload", event => { if (!pad.isKept) event.preventDefault(); });

// ----- Words ---------------------------------------------------------------------------------

function say(text) {
  find("said").textContent = text;
  find("hint").textContent = text;
}

function notify(text, canDownload = false) {
  find("notice-text").textContent = text;
  find("notice-download").hidden = !canDownload;
  find("notice").hidden = !text;
}
find("notice-close").onclick = () => notify("");

function end(title, text, canTakeOver = false) {
  notify("");
  showKept();
  find("end-title").textContent = title;
  find("end-text").textContent = text;
  find("here").hidden = !canTakeOver;
  find("end").showModal();
}
find("end").addEventListener("cancel", event => event.preventDefault());
// There is nobody to send it to any more: what is drawn from here on is downloaded.
find("draw-on").onclick = () => {
  find("end").close();
  companion.forget();
  Object.assign(find("eager"), { checked: false, disabled: true });
  Object.assign(find("done"), { textContent: "Download", title: "Download the page as SVG",
    onclick: find("download").onclick });
  notify("vpype has your drawing and has gone on. What you draw now is on this page alone: download "
    + "it, or start the sketchpad again, which offers what you sent.");
};
find("here").onclick = () => {
  find("end").close();
  begun = false;
  wire.open(true);
};

find("manner").open = !matchMedia("(max-width: 720px)").matches;
tools.use("draw");
wire.open();
