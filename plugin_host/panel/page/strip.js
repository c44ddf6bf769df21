// The state of the engine, the bar clock with the next change, and where the time goes.

import { ask, all, get, on, wire } from "./wire.js";
import { button, h, ms, number, place, select, set } from "./dom.js";
import { chosen, onChosen } from "./chosen.js";
import { captureMs } from "./references.js";

const WORDS = { loading: "loading", ready: "ready", empty: "no model", stopping: "stopping", failed: "failed" };

export function condition() {
  if (!wire.there) return ["panel closed", "bad"];
  if (!get("link")?.there) return get("own")?.text ? ["failed", "bad"] : ["no engine", "bad"];
  const engine = get("engine"), loading = get("progress", "loading");
  if (!engine) return ["connecting", ""];
  if (engine.state === "failed") return ["failed", "bad"];
  if (loading?.text || engine.state === "loading") {
    const text = loading?.text || engine.text || "";
    return [/download/i.test(text) ? "downloading" : /warm/i.test(text) ? "warming up" : "loading", "work"];
  }
  const lanes = all("lane");
  if (lanes.some(([, lane]) => lane.state === "failed")) return ["music failed", "bad"];
  if (lanes.some(([about, lane]) => lane.state === "playing" && lane.heard && get("ring", about)?.fill_ms < 40)) return ["starved", "bad"];
  if (lanes.some(([, lane]) => lane.state === "playing" && lane.heard)) return ["playing", "on"];
  if (lanes.some(([, lane]) => lane.state === "preparing")) return ["preparing", "work"];
  return [WORDS[engine.state] ?? engine.state, ""];
}

class Strip extends HTMLElement {
  connectedCallback() {
    this.pill = h("strong", { class: "pill", role: "status" });
    this.model = h("span", { class: "model" });
    this.text = h("span", { class: "dim text" });
    this.bar = h("progress", { max: 1, hidden: true, "aria-label": "Loading" });
    this.choose = button("Change model", () => this.open());
    this.eject = button("Eject", () => ask("/segue/model/unload"), { title: "Free the model's memory" });
    this.cancel = button("Cancel", () => ask("/segue/model/cancel"), { hidden: true });
    this.own = button("Start an engine", () => ask("/panel/start/engine", { model: get("own")?.text ? "embedded" : "" }), { class: "main", hidden: true });
    this.append(this.pill, this.model, this.text, this.bar, this.cancel, this.own, this.choose, this.eject);
    for (const kind of ["link", "own", "engine", "model", "stats", "lane", "ring", "progress", "wire"]) on(kind, () => this.show());
    on("event/model", (said) => { this.note = said.state === "loading" ? said.text : said.state === "failed" ? said.text : ""; this.show(); });
    this.show();
  }

  show() {
    const [word, kind] = condition(), engine = get("engine"), model = get("model"), loading = get("progress", "loading");
    set(this.pill, word);
    this.pill.className = `pill ${kind}`;
    const memory = get("stats")?.memory_mb;
    const busy = Boolean(loading?.text) || engine?.state === "loading" || Boolean(this.note && this.busy);
    set(this.model, engine?.model ? [engine.model, engine.device, model?.precision, memory && `${number(memory, 0)} MB`].filter(Boolean).join(" · ") : "");
    set(this.text, !wire.there ? "the panel has ended; start it again" : get("link")?.there ? loading?.text || this.note || engine?.text || "" : get("own")?.text || (get("link")?.text ?? ""));
    this.text.title = this.text.textContent;
    const own = wire.there && !get("link")?.there && get("own");
    this.own.hidden = !wire.there || get("link")?.there !== 0 || Boolean(own && !own.text);
    set(this.own, own?.text ? "Start the embedded model" : "Start an engine");
    this.text.classList.toggle("whole", Boolean(own?.text));
    this.bar.hidden = !busy;
    if (loading?.total) this.bar.value = loading.done / loading.total; else this.bar.removeAttribute("value");
    this.cancel.hidden = !busy;
    this.choose.hidden = this.eject.hidden = busy;
    this.choose.disabled = !engine;
    this.eject.disabled = !engine?.model;
  }

  async open() {
    const { here, known } = await ask("/segue/model/list");
    const own = here.split(" ").filter(Boolean);
    const names = [...own, ...known.split(" ").filter((name) => name && !own.includes(name)).map((name) => [name, `${name} (download)`])];
    const precisions = wire.table.requests["/segue/model/load"].arguments.find(({ name }) => name === "precision").choices;
    const name = select(names, get("engine")?.model, { "aria-label": "Model" }), precision = select(precisions, "auto", { "aria-label": "Precision" });
    const box = h("dialog", { class: "box" }, h("h2", {}, "Change model"),
      h("p", { class: "dim" }, "The present model plays until the new one is ready, then lanes change over on a bar line."),
      h("div", { class: "row" }, name, precision),
      h("div", { class: "row end" }, button("Close", () => box.close()), button("Load", () => { box.close(); return this.load(name.value, precision.value); }, { class: "main" })));
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
  }

  async load(name, precision) {
    this.busy = true;
    try {
      await ask("/segue/model/load", { name, precision }, ({ done, total, text }) => {
        this.note = text; this.show();
        if (total) this.bar.value = done / total;
      });
    } finally { this.busy = false; this.note = ""; this.show(); }
  }
}

class Clock extends HTMLElement {
  connectedCallback() {
    this.bar = h("span", { class: "bar" }, "–");
    this.beats = h("span", { class: "beats", "aria-hidden": "true" });
    this.tempo = h("div", { class: "tempo" });
    this.next = h("div", { class: "next" });
    this.cancel = button("Cancel", () => ask("/segue/lane/cancel", { lane: Number(chosen()) }), { title: "C" });
    this.append(h("div", { class: "big", role: "timer", "aria-label": "Bar and beat" }, h("span", { class: "dim" }, "bar"), this.bar, this.beats), this.tempo,
      h("div", { class: "change" }, this.next, this.cancel));
    for (const kind of ["time", "pending", "lane"]) on(kind, () => this.show());
    on("time", (about) => { if (about === chosen()) this.came = performance.now(); });
    onChosen(() => this.show());
    this.turn();
    this.show();
  }

  turn() {
    requestAnimationFrame(() => this.turn());
    const time = get("time", chosen());
    if (!time) { set(this.bar, "–"); set(this.tempo, ""); this.beats.replaceChildren(); return; }
    const length = (time.numerator * 4) / time.denominator;
    const since = time.playing ? Math.min(1, (performance.now() - (this.came ?? 0)) / 1000) : 0;
    const beats = time.beats + (since * time.bpm) / 60;
    const offset = time.beats - time.beat - time.bar * length;
    const bar = Math.floor((beats - offset) / length + 1e-9), beat = Math.floor((beats - offset - bar * length) * time.denominator / 4 + 1e-9);
    set(this.bar, String(bar + 1));
    if (this.beats.childElementCount !== time.numerator) this.beats.replaceChildren(...Array.from({ length: time.numerator }, () => h("i")));
    [...this.beats.children].forEach((dot, at) => { dot.className = time.playing && at === beat ? "on" : ""; });
    set(this.tempo, `${number(time.bpm, 2)} bpm  ${time.numerator}/${time.denominator}  ${time.playing ? "host runs" : "host stands"}`);
  }

  show() {
    const pending = get("pending", chosen()), time = get("time", chosen());
    const waits = pending?.waiting > 0;
    this.cancel.hidden = !waits;
    if (!waits) { set(this.next, get("lane", chosen()) ? "No change waits" : ""); return; }
    const where = time ? place(pending.next_beats, time.numerator, time.denominator) : `beat ${number(pending.next_beats)}`;
    const more = pending.waiting > 1 ? `, ${pending.waiting - 1} more after it` : "";
    set(this.next, `Next: ${pending.next} at ${where}${pending.beats_to_next >= 0 ? `, in ${number(pending.beats_to_next, 1)} beats` : ""}${more}`);
  }
}

class Ledger extends HTMLElement {
  connectedCallback() {
    this.cells = new Map();
    this.bar = h("div", { class: "stack", "aria-hidden": "true" });
    this.list = h("dl", {});
    this.append(this.list, this.bar, h("p", { class: "dim small caption" }, "of each 20 ms of music: generated, decoded, left over"));
    for (const kind of ["stats", "host", "ring", "time"]) on(kind, () => this.show());
    onChosen(() => this.show());
    this.show();
  }

  cell(name, value, more = "", title = "", bad = false) {
    if (!this.cells.has(name)) {
      const [term, own, small] = [h("dt", {}, name), h("dd", {}), h("dd", { class: "small" })];
      this.cells.set(name, { own, small, box: this.list.appendChild(h("div", { title }, term, own, small)) });
    }
    const { own, small, box } = this.cells.get(name);
    set(own, value); set(small, more);
    box.className = bad ? "bad" : "";
  }

  show() {
    const lane = chosen(), stats = get("stats"), own = get("stats", lane), host = get("host", lane), ring = get("ring", lane), time = get("time", lane);
    const bars = (value) => {
      const found = time && value > 0 ? (value / 60000) * time.bpm / ((time.numerator * 4) / time.denominator) : 0;
      const text = number(found, found < 0.1 ? 3 : 2);
      return !found ? "" : text === "0" ? "under 0.001 bars" : `${text} ${text === "1" ? "bar" : "bars"}`;
    };
    const show = (value) => (value === undefined || !(value > 0) ? "–" : ms(value));
    const capture = all("region").filter(([about]) => about.split(" ")[0] === lane).length, took = captureMs();
    this.cell("Capture", show(took), bars(took) || (capture ? `${capture} heard` : "your music"), "from a file's upload until the engine has read it");
    this.cell("Queue", show(stats?.round_trip_ms), bars(stats?.round_trip_ms), "a question to the engine and its answer");
    this.cell("Generate", show(stats?.step_ms), bars(stats?.step_ms), "one step of the language model, for 20 ms of music");
    this.cell("Decode", show(stats?.decode_ms), bars(stats?.decode_ms), "the codec's time for 20 ms of music");
    this.cell("Ring", show(ring?.fill_ms), bars(ring?.fill_ms), "audio ready to play", ring?.fill_ms < 40 && get("lane", lane)?.state === "playing");
    this.cell("Host", show(host?.block_ms), bars(host?.block_ms) || (host?.rate_hz ? `${number(host.rate_hz / 1000, 1)} kHz` : ""), "the host's block");
    const first = own && own.first_sound_seconds * 1000, change = own && own.change_seconds * 1000;
    this.cell("First sound", show(first), bars(first), "from play to the first block in the ring");
    this.cell("Change", show(change), bars(change), "from the last change of prompt, reference or parameter to its sound");
    const ratio = own?.realtime_ratio || stats?.realtime_ratio;
    this.cell("Real time", ratio ? `${number(ratio, 1)}×` : "–", "above 1 keeps up", "seconds of audio made per second of work", ratio > 0 && ratio < 1);
    this.cell("Underruns", host ? String(host.underruns) : "–", host?.underrun_at ? `last ${host.underrun_at}` : host ? "none seen" : "", "times the host found too little", Boolean(host?.underrun_at));
    const parts = [["Generate", stats?.step_ms], ["Decode", stats?.decode_ms]].filter(([, value]) => value > 0);
    const left = 20 - parts.reduce((sum, [, value]) => sum + value, 0);
    this.bar.replaceChildren(...parts.map(([name, value]) => h("i", { class: name.toLowerCase(), style: null, title: name })), h("i", { class: "left" }));
    parts.forEach(([, value], at) => { this.bar.children[at].style.flexGrow = String(value); });
    this.bar.lastChild.style.flexGrow = String(Math.max(0, left));
    this.bar.hidden = parts.length === 0;
  }
}

customElements.define("segue-strip", Strip);
customElements.define("segue-clock", Clock);
customElements.define("segue-ledger", Ledger);
