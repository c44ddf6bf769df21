// For finding faults: the last messages, and the doctor with a report to copy.

import { ask, get, on } from "./wire.js";
import { button, h, number, say, set } from "./dom.js";

const LINES_MAX = 200;

function words(values) { return Object.values(values).map((each) => (typeof each === "number" ? number(each, 3) : each)).join(" "); }

class Tools extends HTMLElement {
  connectedCallback() {
    this.log = h("ol", { class: "log", "aria-label": "Messages", tabindex: 0 });
    this.watch = h("input", { type: "checkbox", role: "switch", id: "monitor", onchange: () => this.turn() });
    this.report = h("pre", { class: "lines", tabindex: 0, hidden: true, "aria-label": "The doctor's report" });
    this.copy = button("Copy the report", () => this.copyReport(), { hidden: true });
    this.run = button("Examine this machine", () => this.examine());
    this.append(h("h2", {}, "Tools"),
      h("details", { class: "card more" }, h("summary", {}, "OSC monitor"), h("div", { class: "row" }, h("label", { for: "monitor" }, this.watch, "show every message that reaches the engine"), button("Clear", () => this.log.replaceChildren())), this.log),
      h("details", { class: "card more" }, h("summary", {}, "Doctor"), h("div", { class: "row" }, this.run, this.copy), this.report));
    on("event", (name, values) => { if (name !== "monitor") this.add(name, words(values), "event"); });
    on("monitor", ({ sender, message, values, outcome }) => this.add(message, `${values}  ${outcome}`, outcome.startsWith("error") ? "bad" : "", sender));
  }

  add(name, text, kind, sender = "") {
    const time = new Date().toTimeString().slice(0, 8);
    const low = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 4;
    this.log.append(h("li", { class: kind }, h("span", { class: "dim" }, time), h("b", {}, name), h("span", {}, text), h("span", { class: "dim" }, sender)));
    while (this.log.childElementCount > LINES_MAX) this.log.firstChild.remove();
    if (low) this.log.scrollTop = this.log.scrollHeight;
  }

  async turn() {
    try { await ask("/panel/monitor", { on: this.watch.checked ? 1 : 0 }); } catch (fault) { this.watch.checked = false; say(fault.message, true); }
  }

  async examine() {
    this.run.disabled = true;
    set(this.report, "This takes some seconds.");
    this.report.hidden = false;
    try {
      const { report } = await ask("/panel/doctor");
      set(this.report, `${get("link")?.engine ?? "no engine"}\n${navigator.userAgent}\n${report}`);
      this.copy.hidden = false;
    } finally { this.run.disabled = false; }
  }

  async copyReport() {
    try { await navigator.clipboard.writeText(this.report.textContent); } catch {
      getSelection().selectAllChildren(this.report);
      document.execCommand("copy");
    }
    say("Copied.");
  }
}

customElements.define("segue-tools", Tools);

export async function share() {
  const { owner, guest, owner_code, guest_code } = await ask("/panel/share");
  const one = (title, text, address, code) => h("div", { class: "code" }, h("h3", {}, title), h("p", { class: "dim small" }, text), h("img", { src: code, alt: `Code of ${address}`, width: 200, height: 200 }), h("code", { class: "small" }, address));
  const box = h("dialog", { class: "box" }, h("h2", {}, "Share"),
    owner ? h("div", { class: "row codes" }, one("Guests", "They look, and change nothing.", guest, guest_code), one("A device of yours", "Full control: a tablet on the stand.", owner, owner_code))
      : h("p", {}, "The panel is open to this machine only. Start it with ", h("code", {}, "segue panel --lan"), " for a tablet or for guests in your network."),
    h("div", { class: "row end" }, button("Close", () => box.close(), { class: "main" })));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

