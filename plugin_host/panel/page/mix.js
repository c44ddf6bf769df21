// Several prompts of a lane, mixed by weights or by a point on a surface between four of them.

import { ask, dial, wire } from "./wire.js";
import { attempt, field, h, number } from "./dom.js";

const SLOT = "/segue/lane/slot", MORPH = "/segue/lane/morph", SURFACE = "/segue/lane/surface";
const CORNERS = 4, STEP = 0.05;
const WHERE = ["below left", "below right", "above left", "above right"];

export function mixes() { return [SLOT, MORPH, SURFACE].every((address) => address in wire.table.requests); }

export class Mix {
  constructor(lane, at) {
    Object.assign(this, { lane: Number(lane), at, x: 0, y: 0 });
    this.beats = h("input", { type: "number", min: 0, max: 1000, value: "0" });
    this.slots = Array.from({ length: CORNERS }, (_, index) => this.slot(index + 1));
    this.dot = h("i", { class: "dot" });
    this.surface = h("div", { class: "surface", role: "slider", tabindex: 0, "aria-label": "Mixture of four prompts", "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": 0 },
      ["3", "4", "1", "2"].map((name) => h("span", { "aria-hidden": "true" }, name)), this.dot);
    this.surface.addEventListener("pointerdown", (event) => { this.surface.setPointerCapture(event.pointerId); this.point(event); });
    this.surface.addEventListener("pointermove", (event) => { if (event.buttons) this.point(event); });
    this.surface.addEventListener("keydown", (event) => {
      const moved = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!moved) return;
      event.preventDefault();
      this.move(this.x + moved[0] * STEP, this.y + moved[1] * STEP);
    });
    this.box = h("details", { class: "more" }, h("summary", {}, "Mix prompts"),
      h("div", { class: "mix" }, h("div", { class: "slots" }, this.slots.map(({ box }) => box), field("Glide", this.beats, "beats")), this.surface));
    this.place();
  }

  slot(number_) {
    const text = h("input", { type: "text", maxlength: 1000, placeholder: `prompt ${number_}, ${WHERE[number_ - 1]}`, "aria-label": `Prompt ${number_} of the mixture`, spellcheck: "false",
      onchange: () => attempt(() => ask(SLOT, { lane: this.lane, slot: number_, text: text.value, at: this.at() })) });
    const weight = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: number_ === 1 ? "1" : "0", "aria-label": `Weight of prompt ${number_}`, oninput: () => attempt(() => this.weigh()) });
    const out = h("output", { class: "dim small" }, number_ === 1 ? "100 %" : "0 %");
    return { text, weight, out, box: h("div", { class: "slot" }, h("span", { class: "dim" }, String(number_)), text, weight, out) };
  }

  async weigh() {
    const values = Object.fromEntries(this.slots.map(({ weight }, index) => [`w${index + 1}`, Number(weight.value)]));
    if (!Object.values(values).some((value) => value > 0)) return;
    this.show(await dial(`${this.lane} mix`, MORPH, { lane: this.lane, what: "prompts", beats: Number(this.beats.value), at: "now", ...values }));
  }

  point(event) {
    const box = this.surface.getBoundingClientRect();
    this.move((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  }

  move(x, y) {
    [this.x, this.y] = [x, y].map((each) => Math.min(1, Math.max(0, each)));
    this.place();
    attempt(async () => this.show(await dial(`${this.lane} mix`, SURFACE, { lane: this.lane, x: this.x, y: this.y, beats: Number(this.beats.value), at: "now" })));
  }

  place() {
    this.dot.style.left = `${100 * this.x}%`;
    this.dot.style.bottom = `${100 * this.y}%`;
    this.surface.setAttribute("aria-valuenow", number(this.x, 2));
    this.surface.setAttribute("aria-valuetext", `${number(100 * this.x, 0)} % right, ${number(100 * this.y, 0)} % up`);
  }

  show(answer) {
    const weights = (answer?.weights ?? "").split(" ").map(Number);
    this.slots.forEach(({ weight, out }, index) => {
      const value = weights[index] || 0;
      out.textContent = `${number(100 * value, 0)} %`;
      if (document.activeElement !== weight) weight.value = value;
    });
  }
}
