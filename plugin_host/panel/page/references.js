// The music that a lane is given: dropped or chosen, its waveform, what was detected in it, and corrections.

import { ask, get, on, upload, wire } from "./wire.js";
import { attempt, button, field, h, number, say, select, KEYS } from "./dom.js";

const WORDS = { continue: "Continue", melody: "Melody", style: "Style", context: "Context" };
const HELP = { continue: "Segue plays on from this", melody: "its melody and chords are followed", style: "its sound is taken up", context: "other parts, heard and not played" };
const SURE = 0.3; // from here on a detected value is shown as such
export const files = new Map(); // uploads: file -> what the panel said, for takes, stems and jams

const followers = new Set();
export function onFiles(heard) { followers.add(heard); }
function changed() { for (const heard of followers) heard(); }

let took = 0; // ms from the last upload until the engine had read it
export function captureMs() { return took; }

function keyNumber(text) {
  const [note, kind] = text.split(" ");
  const names = { "C sharp": 1, "D flat": 1, "C#": 1, "D sharp": 3, "E flat": 3, "D#": 3, Eb: 3, "F sharp": 6, "F#": 6, "G sharp": 8, "A flat": 8, "G#": 8, Ab: 8, "A sharp": 10, "B flat": 10, "A#": 10, Bb: 10 };
  const plain = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
  const words = text.split(" "), minor = /minor|m$/.test(text);
  const root = names[words.slice(0, 2).join(" ")] ?? names[note] ?? plain[note?.replace(/m$/, "")];
  return root === undefined || !kind ? -1 : root + (minor ? 12 : 0);
}

export class Reference {
  constructor(lane, role, at) {
    Object.assign(this, { lane, role, at, file: null });
    this.wave = h("file-wave", { "aria-label": `Waveform of the ${role} reference` });
    this.pick = h("input", { type: "file", accept: "audio/*,.wav,.flac,.aiff,.ogg,.mp3", class: "quiet", tabindex: -1, "aria-hidden": "true", onchange: () => attempt(() => this.load(this.pick.files[0])) });
    this.name = h("p", { class: "name" }, HELP[role] ?? "");
    this.found = h("div", { class: "dim small" });
    this.bpm = h("input", { type: "number", min: 20, max: 999, step: "any", placeholder: "detect", onchange: () => attempt(() => this.send()) });
    this.first = h("input", { type: "number", step: "any", value: "0", onchange: () => attempt(() => this.send()) });
    this.key = select([[-1, "not said"], ...KEYS], -1, { onchange: () => attempt(() => ask("/segue/lane/set", { lane: Number(lane), name: "key", value: Number(this.key.value), at: this.at() })) });
    this.clear = button("Remove", () => this.remove(), { hidden: true });
    this.more = h("div", { class: "corrections", hidden: true }, field("Tempo", this.bpm, "bpm"), field("First bar", this.first, "beats"), field("Key", this.key), this.clear);
    this.box = h("div", { class: "reference", "data-role": role },
      h("div", { class: "row" }, h("h4", {}, WORDS[role] ?? role), button("Choose file", () => this.pick.click(), { class: "end", "aria-label": `Choose file for ${role}` }), this.pick),
      this.name, this.wave, this.found, this.more);
    this.box.addEventListener("dragover", (event) => { event.preventDefault(); this.box.classList.add("over"); });
    this.box.addEventListener("dragleave", () => this.box.classList.remove("over"));
    this.box.addEventListener("drop", (event) => {
      event.preventDefault();
      this.box.classList.remove("over");
      const [file] = event.dataTransfer.files;
      if (file) attempt(() => this.load(file));
    });
    this.off = on("region", (about, values) => { if (about === `${lane} ${role}` && values) this.detected(values); });
  }

  async load(file) {
    if (!file) return;
    this.pick.value = "";
    this.name.textContent = `${file.name} is being read`;
    const begun = performance.now();
    const said = await upload(file).catch((fault) => { this.name.textContent = HELP[this.role] ?? ""; throw fault; });
    files.set(said.file, said);
    this.file = said;
    this.bpm.value = ""; this.first.value = "0";
    this.wave.show(said);
    changed();
    await this.send();
    took = performance.now() - begun;
  }

  async send() {
    if (!this.file) return;
    const start = -Number(this.first.value || 0);
    const answer = await ask("/segue/region/file", { lane: Number(this.lane), role: this.role, file: this.file.file, bpm: Number(this.bpm.value || 0), start_beats: start, at: this.at() });
    this.file.bars = answer.bars;
    this.name.textContent = `${this.file.name}, ${number(answer.seconds, 1)} s, ${number(answer.bars, 2)} bars`;
    this.found.textContent = answer.note;
    this.more.hidden = this.clear.hidden = false;
    if (answer.late) say("Too late for its place; the next one is taken.");
  }

  detected(values) {
    const parts = [];
    if (values.bpm > 0) { parts.push(`detected ${number(values.bpm, 2)} bpm (${number(100 * values.sure, 0)} % sure)`); this.bpm.placeholder = number(values.bpm, 2); }
    if (values.key) { parts.push(`${values.key} (${number(100 * values.key_sure, 0)} % sure)`); if (values.key_sure >= SURE) this.key.options[0].textContent = `detected: ${values.key}`; this.heardKey = keyNumber(values.key); }
    if (Math.abs(values.first_bar_beats) > 0.02) parts.push(`first bar at beat ${number(values.first_bar_beats, 2)}`);
    this.found.textContent = parts.join(", ");
    if (this.file) { this.file.bpm = values.bpm; this.file.key = values.key; changed(); }
  }

  async remove() {
    await ask("/segue/region/clear", { lane: Number(this.lane), role: this.role, at: this.at() });
    this.file = null;
    this.wave.show(null);
    this.name.textContent = HELP[this.role] ?? "";
    this.found.textContent = "";
    this.more.hidden = true;
  }

  show(roles) {
    const given = roles.split(" ").includes(this.role);
    this.box.classList.toggle("given", given);
    if (given && !this.file) { this.name.textContent = "given by another program"; this.more.hidden = this.clear.hidden = false; }
    const abilities = get("model")?.abilities;
    this.box.classList.toggle("unable", Boolean(abilities) && !abilities.split(" ").includes(this.role));
  }
}

export function roles() {
  return wire.table.requests["/segue/region/file"].arguments.find(({ name }) => name === "role").choices.filter((role) => !/\d$/.test(role)).sort((a, b) => (a === "continue" ? -1 : b === "continue" ? 1 : 0));
}
