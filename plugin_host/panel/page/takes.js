// Takes: the tree, audition, star, reject, fork, undo and redo, and files for a DAW.

import { ask, at, get, on, picture } from "./wire.js";
import { button, field, h, number, say, select, set } from "./dom.js";
import { files, onFiles } from "./references.js";

const LOOK_MS = 2500;
const audio = new Audio();
let sounding = null;

export function audition(url, row, wave, form) {
  const same = sounding?.row === row;
  sounding?.row.classList.remove("sounding");
  sounding?.wave?.show(sounding.form, 0);
  audio.pause();
  sounding = same ? null : { row, wave, form };
  if (same) return;
  row.classList.add("sounding");
  audio.src = url;
  audio.play().catch((fault) => { row.classList.remove("sounding"); say(`It cannot be played: ${fault.message}`, true); });
}
audio.addEventListener("ended", () => { sounding?.row.classList.remove("sounding"); sounding?.wave?.show(sounding.form, 0); sounding = null; });
(function turn() {
  requestAnimationFrame(turn);
  if (sounding?.wave && sounding.form && audio.duration) sounding.wave.show(sounding.form, audio.currentTime / audio.duration);
})();

// Runs once, when a row first comes into view.
function seen(row, run) {
  const look = new IntersectionObserver(([{ isIntersecting }]) => { if (isIntersecting) { look.disconnect(); run().catch(() => {}); } });
  look.observe(row);
}

// A link that is also dragged out as a file. Chromium hands a download to other programs on Windows and macOS alone; on
// Linux they get the text: the address of the file on this machine.
export function dragOut(node, name, url, path = "") {
  node.setAttribute("draggable", "true");
  node.addEventListener("dragstart", (event) => {
    const here = path.startsWith("/") && ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("DownloadURL", `audio/wav:${name}:${url}`);
    event.dataTransfer.setData("text/uri-list", url);
    if (here) event.dataTransfer.setData("text/plain", `file://${path.split("/").map(encodeURIComponent).join("/")}`);
  });
}

export async function watching() {
  if (get("watch")?.there) return;
  if (!get("program", "watch")?.running) await ask("/panel/start/watch");
  for (let tries = 0; tries < 60 && !get("watch")?.there; tries += 1) await new Promise((done) => setTimeout(done, 250));
}

class Takes extends HTMLElement {
  connectedCallback() {
    this.nodes = new Map();
    this.rows = new Map();
    this.list = h("ol", { class: "tree", "aria-label": "Takes" });
    this.head = h("span", { class: "dim small" });
    this.undo = button("Undo", () => this.move("undo"), { title: "U" });
    this.redo = button("Redo", () => this.move("redo"), { title: "Shift U" });
    this.bars = h("input", { type: "number", min: 1, max: 1000, value: "8" });
    this.count = h("input", { type: "number", min: 1, max: 100, value: "2" });
    this.prompt = h("input", { type: "text", maxlength: 1000, placeholder: "as the take at the head" });
    this.source = select([["", "the take at the head"]], "", { onfocus: () => this.sources(), onpointerdown: () => this.sources() });
    this.bpm = h("input", { type: "number", min: 20, max: 999, value: "120" });
    this.make = button("Make takes", () => this.order(), { class: "main", title: "T" });
    this.project = h("a", { class: "button", download: "segue.dawproject", hidden: true }, "DAWproject of the starred");
    this.whole = h("a", { class: "button", download: "segue.wav", href: at("export/head.wav"), draggable: "true" }, "WAV to the head");
    dragOut(this.whole, "segue.wav", at("export/head.wav"));
    this.state = h("p", { class: "dim" });
    this.append(h("div", { class: "row title" }, h("h2", {}, "Takes"), this.head, h("div", { class: "row end tight" }, this.undo, this.redo)),
      h("div", { class: "card" }, h("div", { class: "row order" }, field("From", this.source), field("Tempo", this.bpm, "bpm"), field("Bars", this.bars), field("Takes", this.count), field("Prompt", this.prompt), this.make), this.state),
      this.list, h("div", { class: "row files" }, this.whole, this.project));
    on("takes/changed", () => this.refresh());
    on("event/take", () => this.refresh());
    on("watch", () => { this.show(); this.refresh(); });
    onFiles(() => this.sources());
    on("program", () => this.show());
    on("link", () => this.show());
    this.show();
  }

  sources() {
    const known = [...files.values()].map(({ file, name }) => [file, name]);
    if (this.source.options.length !== known.length + 1) {
      const value = this.source.value || (this.nodes.size ? "" : known.at(-1)?.[0]);
      this.source.replaceChildren(...select([["", "the take at the head"], ...known], value).children);
    }
    const bpm = files.get(this.source.value)?.bpm;
    if (bpm && this.heard !== bpm) { this.heard = bpm; this.bpm.value = number(bpm, 2); }
  }

  show() {
    const watch = get("watch"), program = get("program", "watch");
    const failed = program && !program.running && program.code > 0 && !watch?.there;
    set(this.state, failed ? program.lines : program?.running && !watch?.there ? "segue watch is starting" : "");
    this.state.hidden = !this.state.textContent;
    this.undo.disabled = !watch?.can_undo;
    this.redo.disabled = !watch?.can_redo;
    set(this.head, watch?.take ? `the music goes on after take ${watch.take}` : "");
    for (const [take, row] of this.rows) row.classList.toggle("head", watch?.take === take);
    this.whole.hidden = !watch?.take;
  }

  refresh() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.read().catch(() => {}), 150);
  }

  async read() {
    if (!get("watch")?.there) return;
    const numbers = [];
    for (;;) {
      const { count, takes } = await ask("/segue/takes/list", { after: numbers.at(-1) ?? 0 });
      const more = takes.split(" ").filter(Boolean).map(Number);
      numbers.push(...more);
      if (!more.length || numbers.length >= count) break;
    }
    for (const take of numbers) this.nodes.set(take, await ask("/segue/takes/node", { take }));
    for (const take of [...this.nodes.keys()]) if (!numbers.includes(take)) this.nodes.delete(take);
    this.draw();
  }

  draw() {
    const children = new Map();
    for (const node of [...this.nodes.values()].sort((a, b) => a.take - b.take)) {
      const parent = this.nodes.has(node.parent) ? node.parent : 0;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(node);
    }
    const order = [];
    const walk = (parent, depth) => { for (const node of children.get(parent) ?? []) { order.push([node, depth]); walk(node.take, depth + 1); } };
    walk(0, 0);
    const rows = order.map(([node, depth]) => this.row(node, depth));
    this.list.replaceChildren(...rows);
    const starred = [...this.nodes.values()].filter(({ kept, path }) => kept && path).map(({ take }) => take);
    this.project.hidden = !starred.length;
    this.project.href = at(`export/takes.dawproject?takes=${starred.join(",")}`);
    this.show();
  }

  row(node, depth) {
    const known = this.rows.get(node.take);
    const stamp = JSON.stringify([node, depth]);
    if (known?.dataset.stamp === stamp) return known;
    const url = at(`audio/take/${node.take}`), name = `take-${node.take}.wav`;
    const wave = h("file-wave", { "aria-label": `Waveform of take ${node.take}` });
    const row = h("li", { class: `take${node.discarded ? " rejected" : ""}`, tabindex: 0, "data-stamp": stamp });
    const drawn = async () => { wave.own ??= await picture(`picture/take/${node.take}`); wave.show(wave.own); };
    if (node.path) seen(row, drawn);
    const mark = (verb, on) => ask(`/segue/takes/${verb}`, { take: node.take, on: on ? 1 : 0 });
    const label = `${node.lane ? `${node.lane} ` : ""}${node.take}${node.letter}`;
    const link = h("a", { class: "button", href: url, download: name, title: "Download, or drag it into your DAW" }, "WAV");
    dragOut(link, name, url, node.path);
    row.append(
      button("▶", async () => { await drawn(); audition(url, row, wave, wave.own); }, { class: "round", "aria-label": `Play take ${label}`, disabled: !node.path }),
      h("div", { class: "what" }, h("strong", {}, `Take ${label}`), h("span", { class: "dim small" }, `bar ${node.start_bar + 1}, ${node.bars} bars, ${number(node.bpm, 2)} bpm, seed ${node.seed}`), h("span", { class: "small words" }, node.prompt)),
      wave,
      h("div", { class: "row tight marks" },
        button(node.kept ? "★" : "☆", () => mark("keep", !node.kept), { class: "round", "aria-pressed": String(Boolean(node.kept)), "aria-label": `Star take ${label}` }),
        button("✕", () => mark("discard", !node.discarded), { class: "round", "aria-pressed": String(Boolean(node.discarded)), "aria-label": `Reject take ${label}` }),
        button("Go on from here", () => ask("/segue/takes/go", { take: node.take }), { title: "The next takes fork here" }), link));
    row.addEventListener("keydown", (event) => {
      if (event.target !== row) return;
      const keys = { Enter: 0, k: 1, x: 2, f: 3 };
      const pressed = row.querySelectorAll("button")[keys[event.key]];
      if (pressed) { event.preventDefault(); event.stopPropagation(); pressed.click(); }
      if (event.key === "ArrowDown") row.nextElementSibling?.focus();
      if (event.key === "ArrowUp") row.previousElementSibling?.focus();
    });
    row.style.setProperty("--depth", String(Math.min(depth, 6)));
    const held = document.activeElement === known;
    this.rows.set(node.take, row);
    if (held) requestAnimationFrame(() => row.focus());
    return row;
  }

  async move(verb) { await ask(`/segue/takes/${verb}`); }

  async order() {
    this.sources();
    if (!this.source.value && !this.nodes.size) throw new Error("Takes are made from your music: give a lane a reference, or drop a file there.");
    await watching();
    const more = { bars: Number(this.bars.value), takes: Number(this.count.value), prompt: this.prompt.value };
    const file = this.source.value;
    if (file) await ask("/segue/take", { ...more, file, role: "continue", bpm: Number(this.bpm.value), name: files.get(file).name.replace(/\.\w+$/, "").slice(0, 60) });
    else await ask("/segue/takes/extend", more);
    say("Ordered; the takes come one after another.");
    clearInterval(this.looking);
    let looks = 0;
    this.looking = setInterval(() => { looks += 1; this.refresh(); if (looks > 60) clearInterval(this.looking); }, LOOK_MS);
  }
}

customElements.define("segue-takes", Takes);
