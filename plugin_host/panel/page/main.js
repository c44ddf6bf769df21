// The panel: its parts, the keys, dark and light.

import { all, ask, connect, on, wire } from "./wire.js";
import { attempt, button, h } from "./dom.js";
import { choose, chosen } from "./chosen.js";
import { lanes } from "./lanes.js";
import { share } from "./tools.js";
import { condition } from "./strip.js";
import { learn } from "./midi.js";
import "./takes.js";
import "./stems.js";
import "./jam.js";

const lane = () => lanes.get(chosen());
const verb = (name) => { const found = document.querySelector(`[data-verb="${name}"]`); if (found && !found.disabled) found.click(); };
const KEYS = [
  [" ", "Space", "play or stop the lane", () => lane()?.toggle()],
  ["p", "P", "write a prompt; Enter sends it, Escape leaves", () => lane()?.prompt.select()],
  ["m", "M", "mute", () => lane()?.mute.click()],
  ["s", "S", "solo", () => lane()?.solo.click()],
  ["n", "N", "new seed", () => lane()?.again.click()],
  ["l", "L", "lock the seed", () => lane()?.lock.click()],
  ["c", "C", "cancel the next change", () => chosen() && ask("/segue/lane/cancel", { lane: Number(chosen()) })],
  ["[", "[ ]", "the lane before, the next one", () => step(-1)],
  ["]", "", "", () => step(1)],
  ["t", "T", "make takes", () => document.querySelector("segue-takes").make.click()],
  ["u", "U, Shift U", "undo, redo the last move among takes", () => document.querySelector("segue-takes").undo.click()],
  ["U", "", "", () => document.querySelector("segue-takes").redo.click()],
  ["o", "O", "jam: Segue takes over, or you", () => verb("take_over")],
  ["a", "A", "jam: again", () => verb("again")],
  ["h", "H", "jam: hold", () => verb("hold")],
  ["i", "I", "MIDI learn: click a control, then move a knob; Escape leaves", () => learn()],
  ["?", "?", "these keys", () => help()],
];

function step(by) {
  const there = all("lane").map(([about]) => about);
  if (there.length) choose(there[(there.indexOf(chosen()) + by + there.length) % there.length]);
  lane()?.box.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || wire.role === "guest" && event.key !== "?") return;
  const own = event.target.closest("input, select, textarea, dialog, [contenteditable]");
  if (own && !(event.target.type === "checkbox" && event.key !== " ")) return;
  if (event.key === " " && event.target.closest("button, summary, a")) return;
  const found = KEYS.find(([key]) => key === event.key);
  if (!found) return;
  event.preventDefault();
  attempt(found[3]);
});

function help() {
  const more = [["Tab", "every control, in order"], ["Enter K X F", "on a take: play, star, reject, go on from it"], ["Arrows", "up and down the takes; a dial's value"]];
  const box = h("dialog", { class: "box" }, h("h2", {}, "Keys"),
    h("dl", { class: "keys" }, [...KEYS.filter(([, shown]) => shown).map(([, shown, text]) => [shown, text]), ...more].map(([shown, text]) => h("div", {}, h("dt", {}, h("kbd", {}, shown)), h("dd", {}, text)))),
    h("div", { class: "row end" }, button("Close", () => box.close(), { class: "main" })));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

const theme = document.getElementById("theme");
function dress(name) {
  document.documentElement.dataset.theme = name;
  theme.textContent = name === "dark" ? "Light" : "Dark";
}
function kept() { try { return localStorage.getItem("theme"); } catch { return null; } }
dress(kept() ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
theme.addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  dress(name);
  try { localStorage.setItem("theme", name); } catch { /* a private window */ }
});
document.getElementById("help").addEventListener("click", help);
document.getElementById("midi").addEventListener("click", () => attempt(() => learn()));
document.getElementById("share").addEventListener("click", () => attempt(share));
on("table", () => {
  document.body.dataset.role = wire.role;
  document.getElementById("controls").disabled = wire.role === "guest";
  for (const name of ["share", "midi"]) document.getElementById(name).hidden = wire.role === "guest";
});
for (const kind of ["wire", "engine", "lane", "link"]) on(kind, () => { document.title = `Segue: ${condition()[0]}`; });
connect();
