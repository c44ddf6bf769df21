// A lane's parameters, made from the table: a switch, a choice, a slider or a number for each row.

import { dial, get, wire } from "./wire.js";
import { attempt, field, h, number, say, select, KEYS } from "./dom.js";

const SLIDER_MOST = 80; // the widest range that a slider shows
const CHOICES = { key: [[-1, "not said"], ...KEYS] };
const NEEDS = /ability `(\w+)`/;

function choices(row) {
  if (CHOICES[row.name]) return CHOICES[row.name];
  if (row.kind !== "i" || row.high - row.low > 12) return null;
  const found = [...row.meaning.matchAll(/(-?\d+):? ([a-z][a-z ]*?)(?=[,;.]|$)/g)].map((each) => [Number(each[1]), each[2]]);
  return found.length === row.high - row.low + 1 && row.high > 1 ? found.sort((a, b) => a[0] - b[0]) : null;
}

// One control; `show` sets its value unless the user holds it.
export function control(lane, row, at) {
  const name = wire.table.knobs[row.name] ?? row.name;
  const send = async (value) => {
    const answer = await attempt(() => dial(`${lane} ${row.name}`, "/segue/lane/set", { lane: Number(lane), name: row.name, value, at: at() }));
    if (answer?.late) say(`${name}: too late for its place; the next one is taken`);
  };
  const known = choices(row);
  let input, out, show;
  if (row.kind === "i" && row.low === 0 && row.high === 1) {
    input = h("input", { type: "checkbox", role: "switch", onchange: () => send(input.checked ? 1 : 0) });
    show = (value) => { input.checked = value >= 0.5; };
  } else if (known) {
    input = select(known, row.default, { onchange: () => send(Number(input.value)) });
    show = (value) => { input.value = String(Math.round(value)); };
  } else {
    const fine = row.kind === "i" ? 1 : row.high - row.low <= 2 ? 0.01 : 0.1;
    input = h("input", { type: "number", min: row.low, max: row.high, step: row.kind === "i" ? 1 : "any", onchange: () => send(Number(input.value)) });
    if (row.high - row.low <= SLIDER_MOST) {
      out = h("input", { type: "range", min: row.low, max: row.high, step: fine, "aria-label": name, oninput: () => { input.value = out.value; send(Number(out.value)); } });
    }
    show = (value) => { input.value = number(value, 3); if (out && document.activeElement !== out) out.value = value; };
  }
  const box = field(name.replaceAll("_", " "), input, row.unit);
  if (out) { box.classList.add("dial"); box.append(out); }
  box.title = `${row.name}: ${row.meaning} (${number(row.low, 3)} to ${number(row.high, 3)}, usually ${number(row.default, 3)})`;
  box.dataset.name = row.name;
  return {
    box, row,
    show: (value) => { if (document.activeElement !== input && document.activeElement !== out) show(value); },
    able: () => {
      const needs = row.meaning.match(NEEDS)?.[1];
      const abilities = get("model")?.abilities;
      box.classList.toggle("unable", Boolean(needs && abilities && !abilities.split(" ").includes(needs)));
    },
  };
}
