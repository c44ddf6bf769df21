// Small helpers: elements, numbers in words, what is said to the user.

export function h(name, props = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (["value", "checked", "disabled", "hidden", "selected", "open"].includes(key)) made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...inside.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

let count = 0;
const SAID = { s: "seconds", dB: "db", LUFS: "lufs" };
export function field(label, control, unit = "") {
  count += 1;
  if (label.toLowerCase().endsWith(SAID[unit] ?? unit)) unit = "";
  control.id ||= `f${count}`;
  return h("div", { class: "field" }, h("label", { for: control.id }, label, unit && h("span", { class: "unit" }, ` ${unit}`)), control);
}

export function button(text, onclick, props = {}) {
  return h("button", { type: "button", onclick: () => attempt(onclick), ...props }, text);
}

export function select(options, value, props = {}) {
  return h("select", props, options.map((each) => {
    const [key, text] = Array.isArray(each) ? each : [each, each];
    return h("option", { value: key, selected: String(key) === String(value) }, text);
  }));
}

const line = () => document.getElementById("said");
let clearing;
export function say(text, bad = false) {
  line().textContent = text;
  line().className = bad ? "bad" : "";
  clearTimeout(clearing);
  clearing = setTimeout(() => { line().textContent = ""; }, bad ? 9000 : 4000);
}

export async function attempt(work) {
  try { return await work(); } catch (fault) { say(fault.message, true); return undefined; }
}

export function set(node, text) { if (node.textContent !== text) node.textContent = text; }

export function number(value, digits = 2) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 ? Math.min(digits, 0) : size >= 10 ? Math.min(digits, 1) : digits)));
}

export function ms(value) { return value >= 1000 ? `${number(value / 1000, 2)} s` : `${number(value, 1)} ms`; }

export function place(beats, numerator, denominator) {
  const bar = (numerator * 4) / denominator;
  const whole = Math.floor(beats / bar + 1e-9);
  return `bar ${whole + 1}, beat ${Math.floor((beats - whole * bar) * denominator / 4 + 1e-6) + 1}`;
}

export const KEYS = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"].flatMap((note, at, notes) => [[at, `${note} major`]])
  .concat(["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"].map((note, at) => [at + 12, `${note} minor`]));
