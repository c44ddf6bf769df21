// MIDI learn: an overlay in which a click on a control chooses it, and the next move of a knob or pad maps it.

import { all, ask, get, on } from "./wire.js";
import { attempt, button, h, number, say, select, set } from "./dom.js";
import { lanes } from "./lanes.js";

const MOVED_MS = 600;
const bar = h("div", { id: "learn", class: "card", role: "region", "aria-label": "MIDI learn", hidden: true });
const text = h("p", { role: "status" }), device = select([], "", { "aria-label": "MIDI port" }), list = h("ul", {});
const connect = button("Connect", () => ask("/panel/start/midi", { device: device.value }), { class: "main" });
const apart = button("Disconnect", () => ask("/panel/stop", { program: "midi" }));
bar.append(h("div", { class: "row" }, h("strong", {}, "MIDI learn"), text, h("div", { class: "row end tight" }, device, connect, apart, button("Done", () => learn(false)))), list);

const SOURCES = '.lane .field[data-name], .lane [data-midi-to], [data-verb]';
const lane = (node) => [...lanes.values()].find(({ box }) => box.contains(node))?.lane ?? -1;
const target = (node) => node.dataset.name ?? node.dataset.midiTo ?? `jam/${node.dataset.verb}`;
const learning = () => !bar.hidden, wanted = () => get("learning")?.to ?? "";

export async function learn(to = bar.hidden) {
  bar.hidden = !to;
  document.body.classList.toggle("learning", to);
  if (!to) { show(); if (get("midi")?.there) await ask("/segue/midi/cancel"); return; }
  if (!bar.isConnected) document.querySelector("main").append(bar);
  show();
  if (get("midi")?.there) return;
  const { names } = await ask("/panel/midi/ports").catch((fault) => { say(fault.message, true); return { names: "" }; });
  device.replaceChildren(...select([...names.split("\n").filter(Boolean), ["virtual:Segue", "a port for other programs: Segue"]], "").children);
}

function show() {
  const midi = get("midi"), program = get("program", "midi"), rows = all("mapped").map(([, row]) => row);
  const failed = program && !program.running && program.code > 0 ? program.lines.split("\n").at(-1) : "";
  set(text, !midi?.there ? failed || (program?.running ? "connecting" : "Choose your controller.") : wanted() ? `Move the knob or pad for ${wanted().replaceAll("_", " ")}. Escape leaves.` : "Click a control of the page, then move a knob or pad.");
  device.hidden = connect.hidden = Boolean(midi?.there || program?.running);
  apart.hidden = !program?.running;
  list.replaceChildren(...(midi?.there ? rows : []).map((row) => h("li", { "data-control": row.midi }, h("b", {}, row.midi), row.to.replaceAll("_", " "), row.high !== row.low && h("span", { class: "dim small" }, `${number(row.low)} to ${number(row.high)}`),
    button("✕", () => ask("/segue/midi/forget", { what: row.midi }), { class: "round", "aria-label": `Forget ${row.midi}` }))));
  for (const node of document.querySelectorAll(SOURCES)) {
    const own = learning() ? rows.filter((row) => row.to === target(node) && (row.lane === lane(node) || lane(node) < 0)) : [];
    if (own.length) node.dataset.midi = own.map(({ midi: name }) => name).join(", "); else delete node.dataset.midi;
    node.classList.toggle("wanted", learning() && target(node) === wanted());
  }
}

for (const kind of ["midi", "learning", "mapped", "program", "lane", "parameter"]) on(kind, () => { if (learning()) show(); });
on("midi/learned", ({ midi, to }) => say(`${midi} is ${to.replaceAll("_", " ")}`));
on("midi/said", (said) => say(said.text));
on("midi/moved", ({ midi }) => {
  const row = list.querySelector(`[data-control="${CSS.escape(midi)}"]`);
  if (!row) return;
  row.classList.add("moved");
  setTimeout(() => row.classList.remove("moved"), MOVED_MS);
});

// While it learns a click chooses; nothing of the page is played by it.
for (const kind of ["pointerdown", "mousedown", "click"]) document.addEventListener(kind, (event) => {
  const node = learning() && event.target.closest?.(SOURCES);
  if (!node) return;
  event.preventDefault();
  event.stopPropagation();
  if (kind !== "click") return;
  if (!get("midi")?.there) { say("Connect a controller first.", true); return; }
  attempt(() => ask("/segue/midi/learn", { to: target(node), lane: lane(node) }));
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !learning()) return;
  event.preventDefault();
  attempt(() => (wanted() ? ask("/segue/midi/cancel") : learn(false)));
});
