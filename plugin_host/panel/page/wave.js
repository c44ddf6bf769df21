// Canvases: a lane's live sound with what is committed and what can still change, and the picture of a file.

import { onPicture } from "./wire.js";

const BEHIND_SECONDS = 4, AHEAD_SECONDS = 3; // of a lane's picture, around the host
const HEAD_BYTES = 48, COLUMN_BYTES = 6;

export function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

function fit(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  return [width, height];
}

export class LiveWave extends HTMLElement {
  connectedCallback() {
    this.canvas = this.appendChild(document.createElement("canvas"));
    this.lane = Number(this.getAttribute("lane"));
    this.setAttribute("role", "img");
    this.columns = new Map(); // place -> [low, high]
    this.host = -1;
    this.stop = onPicture((data) => this.take(data));
    this.turning = requestAnimationFrame(() => this.draw());
  }

  disconnectedCallback() { this.stop(); cancelAnimationFrame(this.turning); this.replaceChildren(); }

  take(data) {
    const view = new DataView(data);
    if (view.getUint8(0) !== 1 || view.getUint8(1) !== this.lane) return;
    const count = view.getUint16(2, true);
    const [rate, block, seek] = [4, 8, 12].map((at) => view.getUint32(at, true));
    [this.host, this.committed, this.end, this.playing] = [16, 24, 32, 40].map((at) => view.getFloat64(at, true));
    if (seek !== this.seek) this.columns.clear();
    Object.assign(this, { rate, block, seek, came: performance.now() });
    for (let at = HEAD_BYTES; at < HEAD_BYTES + count * COLUMN_BYTES; at += COLUMN_BYTES) {
      this.columns.set(view.getInt32(at, true), [view.getInt8(at + 4), view.getInt8(at + 5)]);
    }
    if (this.columns.size > 6000) {
      const oldest = (this.host - 8 * rate) / block;
      for (const place of this.columns.keys()) if (place < oldest) this.columns.delete(place);
    }
  }

  draw() {
    this.turning = requestAnimationFrame(() => this.draw());
    const [width, height] = fit(this.canvas), pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const middle = height / 2, ratio = devicePixelRatio || 1;
    pen.fillStyle = colour("line");
    pen.fillRect(0, Math.floor(middle), width, Math.max(1, Math.round(ratio)));
    if (this.host < 0 || !this.rate) return;
    const now = this.host + (this.playing ? ((performance.now() - this.came) / 1000) * this.rate : 0);
    const scale = width / ((BEHIND_SECONDS + AHEAD_SECONDS) * this.rate);
    const x = (samples) => (samples - now) * scale + BEHIND_SECONDS * this.rate * scale;
    const from = Math.floor((now - BEHIND_SECONDS * this.rate) / this.block);
    const to = Math.ceil((now + AHEAD_SECONDS * this.rate) / this.block);
    const wide = Math.max(1, this.block * scale);
    const committed = Math.max(now, this.committed);
    const colours = [colour("played"), colour("accent"), colour("open")];
    for (let part = 0; part < 3; part += 1) {
      pen.fillStyle = colours[part];
      pen.beginPath();
      for (let place = from; place <= to; place += 1) {
        const samples = place * this.block;
        const own = samples < now ? 0 : samples < committed ? 1 : 2;
        const edges = own === part && samples < Math.max(this.end, now) ? this.columns.get(place) : undefined;
        if (!edges) continue;
        const top = middle - (edges[1] / 127) * middle * 0.95, low = middle - (edges[0] / 127) * middle * 0.95;
        pen.rect(x(samples), top, wide, Math.max(ratio, low - top));
      }
      pen.fill();
    }
    pen.fillStyle = colour("text");
    pen.fillRect(Math.round(BEHIND_SECONDS * this.rate * scale), 0, Math.max(1, Math.round(1.5 * ratio)), height);
  }
}

// The picture of a file: {low, high} in 1/127; with `played`, 0 to 1, the part before it is brighter.
export class FileWave extends HTMLElement {
  connectedCallback() {
    this.canvas ??= this.appendChild(document.createElement("canvas"));
    this.setAttribute("role", "img");
    this.watching = new ResizeObserver(() => this.draw());
    this.watching.observe(this);
  }

  disconnectedCallback() { this.watching.disconnect(); }

  show(form, played = 0) { this.form = form; this.toggleAttribute("filled", Boolean(form)); this.played = played; if (this.isConnected) this.draw(); }

  draw() {
    if (!this.canvas) return;
    const [width, height] = fit(this.canvas), pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    if (!this.form) return;
    const { low, high } = this.form, middle = height / 2, ratio = devicePixelRatio || 1;
    for (let x = 0; x < width; x += 1) {
      const at = Math.min(low.length - 1, Math.floor((x / width) * low.length));
      pen.fillStyle = x / width < this.played ? colour("accent") : colour("played");
      const top = middle - (high[at] / 127) * middle * 0.95;
      pen.fillRect(x, top, 1, Math.max(ratio, middle - (low[at] / 127) * middle * 0.95 - top));
    }
  }
}

customElements.define("live-wave", LiveWave);
customElements.define("file-wave", FileWave);
