// The websocket: the newest state by (kind, about), requests and their answers, pictures of the lanes.

const HERE = new URL(".", location.href);
const AGAIN_MS = 1000;
const listeners = new Map(); // kind of state, or event -> functions
const waiting = new Map();
const pictures = new Set();
const states = new Map();
let socket, count = 0, told = {}, early = [];

export const wire = { table: null, role: "", there: false };

export function at(path) { return new URL(path, HERE).href; }

export function on(kind, heard) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(heard);
  return () => listeners.get(kind).delete(heard);
}

export function onPicture(draw) { pictures.add(draw); return () => pictures.delete(draw); }

export function get(kind, about = "") { return states.get(`${kind}\n${about}`); }

export function all(kind) {
  const found = [];
  for (const [key, values] of states) {
    const [own, about] = key.split("\n");
    if (own === kind) found.push([about, values]);
  }
  return found.sort((a, b) => a[0].localeCompare(b[0], "en", { numeric: true }));
}

function tell(kind, ...values) { for (const heard of [...(listeners.get(kind) ?? [])]) heard(...values); }

// A request of the table; resolves with its answer by name, rejects with Error of the answer's text.
export function ask(address, values = {}, onProgress) {
  return new Promise((done, failed) => {
    if (socket?.readyState !== WebSocket.OPEN) { failed(new Error("The panel does not answer.")); return; }
    count += 1;
    waiting.set(count, { done, failed, onProgress });
    socket.send(JSON.stringify({ id: count, do: address, values }));
  });
}

// The newest value of a dial: while an answer is awaited, only the last one waits.
const dials = new Map();
export async function dial(key, address, values) {
  const known = dials.get(key);
  if (known) { known.next = [address, values]; return known.run; }
  const own = { next: [address, values] };
  own.run = (async () => {
    try {
      let answer;
      while (own.next) { const [to, what] = own.next; own.next = null; answer = await ask(to, what); }
      return answer;
    } finally { dials.delete(key); }
  })();
  dials.set(key, own);
  return own.run;
}

export async function upload(file) {
  const answer = await fetch(at(`upload?name=${encodeURIComponent(file.name)}`), { method: "POST", body: file });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error?.text ?? "The file was not taken.");
  return said;
}

export async function picture(path) {
  const answer = await fetch(at(path));
  if (!answer.ok) throw new Error("There is no picture.");
  return answer.json();
}

function take(said) {
  if (said.table) { Object.assign(wire, { table: said.table, role: said.role }); tell("table"); early.forEach(take); early = []; return; }
  if (!wire.table) { early.push(said); return; }
  if (said.state) {
    const key = `${said.state}\n${said.about}`;
    if (said.values === null) states.delete(key); else states.set(key, said.values);
    tell(said.state, said.about, said.values);
  } else if (said.event) {
    tell(said.event, said.values);
    tell("event", said.event, said.values);
  } else {
    const one = waiting.get(said.id);
    if (!one) return;
    if (said.progress) { one.onProgress?.(said.progress); return; }
    waiting.delete(said.id);
    if (said.error) { const fault = new Error(said.error.text); fault.code = said.error.code; one.failed(fault); }
    else one.done(said.ok);
  }
}

function drop() {
  wire.there = false;
  for (const one of waiting.values()) one.failed(new Error("The panel does not answer."));
  waiting.clear();
  for (const key of [...states.keys()]) {
    const [kind, about] = key.split("\n");
    states.delete(key);
    tell(kind, about, null);
  }
  tell("wire");
  setTimeout(connect, AGAIN_MS);
}

export function connect() {
  socket = new WebSocket(at("ws").replace(/^http/, "ws"));
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { wire.there = true; tell("wire"); };
  socket.onclose = drop;
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") take(JSON.parse(data));
    else for (const draw of pictures) draw(data);
  };
}
