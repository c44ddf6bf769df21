// The lane that keys, clock and ledger are about.

import { all, on } from "./wire.js";

let lane = "";
const listeners = new Set();

export function chosen() { return lane; }

export function onChosen(heard) { listeners.add(heard); }

export function choose(about) {
  if (lane === about) return;
  lane = about;
  for (const heard of listeners) heard();
}

on("lane", () => {
  const lanes = all("lane").map(([about]) => about);
  if (!lanes.includes(lane)) choose(lanes[0] ?? "");
});
