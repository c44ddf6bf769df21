// The lanes: prompt, play, live waveform, references, parameters.

import { all, ask, dial, get, on, wire } from "./wire.js";
import { attempt, button, field, h, number, say, select, set } from "./dom.js";
import { choose, chosen, onChosen } from "./chosen.js";
import { control } from "./parameters.js";
import { Mix, mixes } from "./mix.js";
import { Reference, roles } from "./references.js";
import "./wave.js";

const PLACES = [["now", "now"], ["beat", "next beat"], ["bar", "next bar"], ["bars 4", "next 4 bars"], ["bars 8", "next 8 bars"]];
const soloed = new Set(), muted = new Map();  // what the player wants; a solo elsewhere silences a lane, and keeps its mute

function isMuted(lane) { return muted.get(lane) ?? Boolean(get("lane", lane)?.muted); }
function hushed(lane) { return soloed.size > 0 && !soloed.has(lane); }

export const lanes = new Map();

class Lane {
  constructor(about) {
    this.about = about;
    this.lane = Number(about);
    this.place = select(PLACES, "bar", { "aria-label": "When changes take effect" });
    this.at = () => this.place.value;
    this.state = h("span", { class: "pill" });
    this.fault = h("p", { class: "bad", hidden: true });
    this.prompt = h("input", { type: "text", class: "prompt", maxlength: 1000, placeholder: "Describe the music: warm lo-fi piano, brushed drums", "aria-label": `Prompt of lane ${this.lane}`, spellcheck: "false", autocomplete: "off" });
    this.prompt.addEventListener("keydown", (event) => { if (event.key === "Enter") attempt(() => this.send()); if (event.key === "Escape") { this.prompt.value = get("prompt", about)?.text ?? this.prompt.value; this.prompt.blur(); } });
    this.play = button("Play", () => this.toggle(), { class: "main", title: "Space", "data-midi-to": "lane/play" });
    this.mute = button("Mute", () => this.setMuted(!isMuted(about)), { title: "M", "aria-pressed": "false" });
    this.solo = button("Solo", () => this.setSolo(!soloed.has(about)), { title: "S", "aria-pressed": "false" });
    this.seed = h("output", { class: "seed" }, "–");
    this.lock = button("Lock", () => this.setLocked(!this.locked), { title: "Keep this seed at every play", "aria-pressed": "false" });
    this.again = button("New seed", () => this.reseed(), { title: "N", "data-midi-to": "lane/reseed" });
    this.meter = h("meter", { min: -60, max: 0, high: -6, optimum: -20, value: -60, "aria-label": "Level" });
    this.preset = select([["", "Preset"], ...wire.table.presets.map(({ name, meaning }) => [name, `${name}: ${meaning}`])], "", { "aria-label": "Preset", class: "preset", onchange: () => attempt(() => this.usePreset()) });
    this.listener = h("p", { class: "dim small" });
    this.mix = mixes() ? new Mix(about, this.at) : null;
    this.references = roles().map((role) => new Reference(about, role, this.at));
    this.controls = wire.table.parameters.filter(({ name }) => name !== "seed").map((row) => control(about, row, this.at));
    this.build();
    this.show();
  }

  build() {
    const knobs = this.controls.filter(({ row }) => row.name in wire.table.knobs), others = this.controls.filter(({ row }) => !(row.name in wire.table.knobs));
    this.title = h("h3", { tabindex: 0, onfocus: () => choose(this.about) }, `Lane ${this.lane}`);
    this.box = h("article", { class: "card lane", "aria-label": `Lane ${this.lane}`, onpointerdown: () => choose(this.about), onfocusin: () => choose(this.about) },
      h("div", { class: "row head" }, this.title, this.state, this.meter, h("div", { class: "row end tight" }, h("span", { class: "dim small" }, "changes at"), this.place)),
      h("div", { class: "row say" }, this.prompt, button("Send", () => this.send()), this.preset),
      h("live-wave", { lane: this.lane, "aria-label": `Sound of lane ${this.lane}: played, committed, still changeable` }),
      h("div", { class: "row legend small" }, h("span", { class: "key played" }, "played"), h("span", { class: "key committed" }, "committed"), h("span", { class: "key open" }, "still changeable")),
      h("div", { class: "row hands" }, this.play, this.mute, this.solo, h("div", { class: "row end tight" }, h("span", { class: "dim small" }, "seed"), this.seed, this.lock, this.again)),
      this.fault,
      h("div", { class: "dials" }, knobs.map(({ box }) => box)),
      this.mix?.box ?? "",
      h("details", { class: "more" }, h("summary", {}, "References: your music"), h("div", { class: "references" }, this.references.map(({ box }) => box))),
      h("details", { class: "more" }, h("summary", {}, `All parameters (${others.length} more)`), h("div", { class: "dials" }, others.map(({ box }) => box))),
      this.listener);
  }

  show() {
    const lane = get("lane", this.about);
    if (!lane) return;
    set(this.state, lane.heard ? lane.state : `${lane.state}, not heard`);
    this.state.className = `pill ${lane.state === "failed" ? "bad" : lane.state === "playing" && lane.heard ? "on" : lane.state === "preparing" ? "work" : ""}`;
    this.fault.hidden = !lane.fault;
    set(this.fault, lane.fault);
    const runs = ["playing", "preparing"].includes(lane.state);
    set(this.play, runs ? "Stop" : "Play");
    this.play.setAttribute("aria-pressed", String(runs));
    if (!hushed(this.about) && lane.muted !== this.toldMute) { this.toldMute = lane.muted; muted.set(this.about, Boolean(lane.muted)); }
    this.mute.setAttribute("aria-pressed", String(isMuted(this.about)));
    this.solo.setAttribute("aria-pressed", String(soloed.has(this.about)));
    set(this.seed, String(lane.seed));
    set(this.listener, get("host", this.about)?.listener ?? "");
    this.listener.hidden = Boolean(lane.heard);
    for (const reference of this.references) reference.show(lane.references);
    for (const one of this.controls) one.able();
    this.box.classList.toggle("chosen", chosen() === this.about && lanes.size > 1);
    const text = get("prompt", this.about)?.text;
    if (text !== undefined && document.activeElement !== this.prompt && text !== this.told) { this.told = text; this.prompt.value = text; }
    const levels = get("levels", this.about);
    this.meter.hidden = !levels;
    if (levels) this.meter.value = levels.peak_db;
  }

  parameter(name, value) { this.controls.find(({ row }) => row.name === name)?.show(value); }

  async send() {
    const { late, beats } = await dial(`${this.about} prompt`, "/segue/lane/prompt", { lane: this.lane, text: this.prompt.value, at: this.at() });
    say(late ? "Too late for its place; the next one is taken." : `The prompt is heard from beat ${number(beats, 1)}.`);
  }

  async usePreset() {
    if (!this.preset.value) return;
    const { prompt } = await ask("/segue/lane/preset", { lane: this.lane, preset: this.preset.value, at: this.at() });
    this.prompt.value = prompt;
    say(`Preset ${this.preset.value}`);
    this.preset.value = "";
  }

  async toggle() {
    const runs = ["playing", "preparing"].includes(get("lane", this.about)?.state);
    if (runs) await ask("/segue/lane/stop", { lane: this.lane, at: this.at() });
    else await ask("/segue/lane/play", { lane: this.lane, at: this.at() });
  }

  async setMuted(on) {
    muted.set(this.about, on);
    await this.sendMute();
  }

  async sendMute() {
    this.show();
    await ask("/segue/lane/mute", { lane: this.lane, on: isMuted(this.about) || hushed(this.about) ? 1 : 0 });
  }

  async setSolo(on) {
    for (const about of lanes.keys()) muted.set(about, isMuted(about));
    if (on) soloed.add(this.about); else soloed.delete(this.about);
    await Promise.all([...lanes.values()].map((lane) => lane.sendMute()));
  }

  async setLocked(on) {
    this.locked = on;
    this.lock.setAttribute("aria-pressed", String(on));
    await ask("/segue/lane/set", { lane: this.lane, name: "seed", value: on ? get("lane", this.about).seed : -1 });
  }

  async reseed() {
    const { seed } = await ask("/segue/lane/reseed", { lane: this.lane, at: this.at() });
    if (this.locked) await ask("/segue/lane/set", { lane: this.lane, name: "seed", value: seed });
  }

  close() { for (const reference of this.references) reference.off(); this.box.remove(); }
}

class Lanes extends HTMLElement {
  connectedCallback() {
    this.tempo = h("input", { type: "number", min: 20, max: 999, value: "120" });
    this.output = h("input", { type: "text", placeholder: "usual sound card" });
    this.toFile = h("input", { type: "checkbox", role: "switch" });
    this.program = h("pre", { class: "lines", hidden: true });
    this.start = button("Play here", () => this.play(), { class: "main" });
    this.stop = button("Stop playing here", () => ask("/panel/stop", { program: "host" }), { hidden: true });
    this.empty = h("p", { class: "dim" }, "A lane is one stream of music. The DAW plugin opens one; or play one here.");
    this.list = h("div", { class: "list" });
    this.append(h("h2", {}, "Lanes"), this.list,
      h("div", { class: "card start" }, this.empty, h("div", { class: "row" }, field("Tempo", this.tempo, "bpm"), field("Sound card", this.output), field("Into a file, without sound", this.toFile), this.start, this.stop), this.program));
    on("lane", () => this.show());
    for (const kind of ["ring", "levels", "host", "prompt", "model"]) on(kind, () => { for (const lane of lanes.values()) lane.show(); });
    on("parameter", (about, values) => { if (values) lanes.get(about.split(" ")[0])?.parameter(values.name, values.value); });
    on("program", () => this.showProgram());
    on("table", () => this.show());
    onChosen(() => { for (const lane of lanes.values()) lane.show(); });
  }

  show() {
    if (!wire.table) return;
    const there = all("lane").map(([about]) => about);
    for (const [about, lane] of lanes) if (!there.includes(about)) { lane.close(); lanes.delete(about); soloed.delete(about); muted.delete(about); }
    for (const about of there) {
      if (!lanes.has(about)) {
        lanes.set(about, new Lane(about));
        for (const [key, values] of all("parameter")) if (key.split(" ")[0] === about) lanes.get(about).parameter(values.name, values.value);
        this.list.append(lanes.get(about).box);
      }
      lanes.get(about).show();
    }
    this.empty.hidden = there.length > 0;
  }

  showProgram() {
    const host = get("program", "host");
    this.start.disabled = Boolean(host?.running);
    this.stop.hidden = !host?.running;
    const failed = host && !host.running && host.code > 0;
    this.program.hidden = !failed;
    set(this.program, failed ? host.lines : "");
  }

  async play() {
    await ask("/panel/start/host", { bpm: Number(this.tempo.value), output: this.toFile.checked ? "file" : this.output.value, bars: 64 });
  }
}

customElements.define("segue-lanes", Lanes);
