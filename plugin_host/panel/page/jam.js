// The jam: start and end, the verbs of a looper, and how it goes.

import { ask, get, on, wire } from "./wire.js";
import { button, field, h, number, select, set } from "./dom.js";
import { files, onFiles } from "./references.js";

class Jam extends HTMLElement {
  connectedCallback() {
    this.append(h("h2", {}, "Jam"));
    on("table", () => this.build());
    onFiles(() => this.start && this.sources());
    for (const kind of ["jam", "program"]) on(kind, () => this.show());
    on("jam/press", ({ verb, accepted, at_bar, text }) => set(this.said, `${verb.replaceAll("_", " ")}: ${accepted ? `from bar ${at_bar + 1}` : text}`));
  }

  build() {
    if (this.start) return;
    const rows = wire.table.requests, own = rows["/panel/start/jam"].arguments;
    this.mode = select(own.find(({ name }) => name === "mode").choices, "trade");
    this.bpm = h("input", { type: "number", min: 0, max: 400, value: "96" });
    this.source = h("input", { type: "text", placeholder: "usual input", list: "inputs" });
    this.player = select([["", "an input"]], "", { onfocus: () => this.sources(), onpointerdown: () => this.sources() });
    this.output = h("input", { type: "text", placeholder: "usual sound card" });
    this.prompt = h("input", { type: "text", placeholder: "what Segue plays" });
    this.start = button("Start the jam", () => this.begin(), { class: "main" });
    this.stop = button("End the jam", () => ask("/panel/stop", { program: "jam" }), { hidden: true });
    this.form = h("div", { class: "row order" }, field("Mode", this.mode), field("Tempo", this.bpm, "bpm"), field("Player", this.player), field("Input", this.source), field("Sound card", this.output), field("Prompt", this.prompt), this.start);
    this.now = h("div", { class: "jamnow" });
    this.word = h("strong", { class: "bar" });
    this.next = h("span", {});
    this.figures = h("p", { class: "dim small" });
    this.levels = ["in", "out"].map((name) => h("meter", { min: -60, max: 0, high: -6, optimum: -20, value: -60, "aria-label": `Level ${name}` }));
    this.said = h("p", { class: "dim", role: "status" });
    this.verbs = h("div", { class: "row verbs" }, Object.entries(rows).filter(([, { to }]) => to === "jam").map(([address, { meaning }]) => {
      const verb = address.split("/").at(-1);
      return button(verb.replaceAll("_", " "), () => ask(address), { class: "verb", title: meaning, "data-verb": verb });
    }));
    this.lines = h("pre", { class: "lines", hidden: true });
    this.now.append(this.word, this.next, h("div", { class: "row tight" }, "you", this.levels[0], "Segue", this.levels[1]));
    this.live = h("div", { hidden: true }, this.now, this.verbs, this.figures, this.said, this.stop);
    this.append(h("div", { class: "card" }, this.form, this.live, this.lines));
    this.show();
  }

  sources() {
    const known = [["", "an input"], ...[...files.values()].map(({ file, name }) => [file, name])];
    if (this.player.options.length === known.length) return;
    const value = this.player.value;
    this.player.replaceChildren(...select(known, value).children);
  }

  async begin() {
    await ask("/panel/start/jam", { mode: this.mode.value, bpm: Number(this.bpm.value), source: this.source.value, output: this.output.value, file: this.player.value, prompt: this.prompt.value });
  }

  show() {
    if (!this.start) return;
    const jam = get("jam"), program = get("program", "jam");
    this.live.hidden = !jam && !program?.running;
    this.form.hidden = Boolean(jam || program?.running);
    this.stop.hidden = !program?.running;
    const failed = program && !program.running && program.code > 0;
    this.lines.hidden = !failed;
    set(this.lines, failed ? program.lines : "");
    for (const verb of this.verbs.children) verb.disabled = !jam;
    if (!jam) { set(this.word, program?.running ? "starting" : ""); set(this.next, ""); return; }
    set(this.word, jam.state);
    set(this.next, jam.next_state !== jam.state && jam.beats_to_change > 0 ? `${jam.next_state} in ${number(jam.beats_to_change, 1)} beats` : `bar ${jam.bar + 1}`);
    set(this.figures, `${jam.mode}, ${number(jam.bpm, 2)} bpm, ${number(jam.ring_fill_ms, 0)} ms ready, sure until beat ${number(jam.committed_until_beat, 1)}${jam.pending ? `, waits: ${jam.pending}` : ""}`);
    this.levels[0].value = jam.level_in_db;
    this.levels[1].value = jam.level_out_db;
    if (jam.message) set(this.said, jam.message);
  }
}

customElements.define("segue-jam", Jam);
