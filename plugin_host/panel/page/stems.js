// Stems: parts of one piece, made so that they belong together; their order, its progress, and their files.

import { all, ask, at, on, wire } from "./wire.js";
import { button, field, h, number, say, select, set } from "./dom.js";
import { audition, dragOut, watching } from "./takes.js";
import { files, onFiles } from "./references.js";

const WORDS = { making: "being made", made: "being made", done: "done", cancelled: "cancelled", failed: "failed" };

class Stems extends HTMLElement {
  connectedCallback() {
    this.orders = new Map();
    this.list = h("div", {});
    this.append(h("h2", {}, "Stems"), this.list);
    on("table", () => this.build());
    on("stems", () => this.show());
    on("stem", () => this.show());
    onFiles(() => this.form && this.sources());
  }

  build() {
    if (this.form) return;
    const own = wire.table.requests["/segue/stems"].arguments;
    const row = (name) => own.find((each) => each.name === name);
    this.source = select([["", "choose a reference of a lane first"]], "", { onfocus: () => this.sources(), onpointerdown: () => this.sources() });
    this.use = select(row("role").choices, "continue");
    this.bpm = h("input", { type: "number", min: 20, max: 999, value: "120" });
    this.bars = h("input", { type: "number", min: 1, max: 64, value: "4" });
    this.variations = h("input", { type: "number", min: 1, max: 32, value: "2" });
    this.parts = wire.table.stems.map((name) => h("input", { type: "checkbox", value: name, checked: ["drums", "bass", "keys"].includes(name), id: `stem-${name}` }));
    this.form = h("div", { class: "card" },
      h("div", { class: "row order" }, field("From", this.source), field("As", this.use), field("Tempo", this.bpm, "bpm"), field("Bars", this.bars), field("Variations", this.variations), button("Make stems", () => this.order(), { class: "main" })),
      h("div", { class: "row parts", role: "group", "aria-label": "Instruments" }, this.parts.map((part) => h("label", { for: part.id }, part, part.value))));
    this.list.before(this.form);
    this.sources();
  }

  sources() {
    const known = [...files.values()].map(({ file, name }) => [file, name]);
    if (known.length && !(this.source.options.length === known.length && this.source.options[0].value)) {
      const value = this.source.value || known[0][0];
      this.source.replaceChildren(...select(known, value).children);
    }
    const bpm = files.get(this.source.value)?.bpm;
    if (bpm && this.heard !== bpm) { this.heard = bpm; this.bpm.value = number(bpm, 2); }
  }

  async order() {
    this.sources();
    if (!this.source.value) throw new Error("Stems are made from your music: give a lane a reference, or drop a file there.");
    const lanes = this.parts.filter(({ checked }) => checked).map(({ value }) => value).join(",");
    if (!lanes) throw new Error("Choose at least one instrument.");
    await watching();
    const name = `stems ${files.get(this.source.value).name}`.replace(/\.\w+$/, "").slice(0, 60);
    await ask("/segue/stems", { file: this.source.value, role: this.use.value, bpm: Number(this.bpm.value), lanes, variations: Number(this.variations.value), bars: Number(this.bars.value), name });
    say("Stems are ordered.");
  }

  show() {
    for (const [order, values] of all("stems")) {
      if (!this.orders.has(order)) this.add(order);
      const { text, bar, cancel, list, project } = this.orders.get(order);
      set(text, `Order ${[...this.orders.keys()].indexOf(order) + 1}: ${WORDS[values.state]}, ${values.done} of ${values.total} stems${values.lane ? `, ${values.lane} of variation ${values.variation}` : ""}`);
      bar.value = values.share;
      bar.hidden = ["done", "cancelled", "failed"].includes(values.state);
      cancel.hidden = bar.hidden;
      project.hidden = values.state !== "done";
      for (const [about, stem] of all("stem")) if (about.split(" ")[0] === order && !list.querySelector(`[data-about="${CSS.escape(about)}"]`)) list.append(this.stem(about, stem));
    }
  }

  add(order) {
    const one = {
      text: h("strong", {}), bar: h("progress", { max: 1, value: 0, "aria-label": "Progress of the order" }),
      cancel: button("Cancel", () => ask("/segue/stems/cancel", { order: Number(order) })), list: h("ul", { class: "stems" }),
      project: h("a", { class: "button end", href: at(`export/stems/${order}.dawproject`), download: "stems.dawproject", hidden: true }, "DAWproject"),
    };
    this.orders.set(order, one);
    this.list.prepend(h("article", { class: "card" }, h("div", { class: "row" }, one.text, one.bar, one.cancel, one.project), one.list));
  }

  stem(about, { variation, lane, purity, path }) {
    const url = at(`audio/stem/${about.split(" ").map(encodeURIComponent).join("/")}`), name = path.split(/[\\/]/).at(-1);
    const row = h("li", { "data-about": about });
    const link = h("a", { class: "button", href: url, download: name }, "WAV");
    dragOut(link, `${variation}-${name}`, url, path);
    row.append(button("▶", () => audition(url, row, null, null), { class: "round", "aria-label": `Play ${lane} of variation ${variation}` }),
      h("span", { class: "what" }, `${variation} ${lane}`), h("span", { class: "dim small" }, purity >= 0 ? `${number(100 * purity, 0)} % pure` : ""), link);
    return row;
  }
}

customElements.define("segue-stems", Stems);
