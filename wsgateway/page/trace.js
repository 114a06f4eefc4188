// A trace of sessions that begin from now on: their heads and the heads of their frames, as the gateway sends them.

import { byId, element, tell } from "./parts.js";

const MOST_LINES = 500;
const WAYS = {
  "client>": ["from the client", "in"],
  "client<": ["to the client", "out"],
  "upstream>": ["to the upstream", "out"],
  "upstream<": ["from the upstream", "in"],
};

const form = byId("trace-form");
const lines = byId("trace-lines");
const running = { stopper: undefined, only: "", sessions: 0 };
let tokenNow = () => "";

/** Lets a person start traces. `token` returns what the gateway wants to see. */
export function allowTraces(token) {
  tokenNow = token;
}

/** Fills the form, and goes to it. */
export function prepareTrace(given) {
  for (const field of form.elements) {
    if (field.type === "checkbox") field.checked = true;
    else if (field.name) field.value = given[field.name] ?? "";
  }
  byId("trace").scrollIntoView({ block: "start" });
  byId("trace-start").focus({ preventScroll: true });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running.stopper) running.stopper.abort();
  else start();
});

async function start() {
  const stopper = new AbortController();
  const given = [...new FormData(form)].filter(([name, value]) => value && name !== "next");
  const next = form.elements.next.checked;
  Object.assign(running, { stopper, only: "", sessions: 0 });
  lines.replaceChildren();
  byId("trace-box").hidden = true;
  tell(byId("trace-start"), "Stop");
  let why = "";
  say("asking the gateway", "waiting");
  try {
    const headers = { "Wsgateway-Token": tokenNow() };
    const query = new URLSearchParams(given);
    const response = await fetch(`do/trace?${query}`, { method: "POST", headers, signal: stopper.signal });
    why = response.ok ? await read(response.body, next) : (await response.text()).trim();
  } catch {
    why = stopper.signal.aborted ? "" : "the gateway has gone";
  }
  stopper.abort();
  running.stopper = undefined;
  tell(byId("trace-start"), "Start");
  say(why ? `over: ${why}` : `over, after ${many(running.sessions, "session")}`, why ? "bad" : "good");
}

/** Shows the events of a stream until it ends. Returns why it ended, if that was not wanted. */
async function read(body, next) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return "the gateway has ended it";
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    const items = events.filter((event) => event.startsWith("data: ")).flatMap((event) => JSON.parse(event.slice(6)));
    const over = take(items, next);
    if (over) return over.why ?? "";
  }
}

/** Shows items. Returns the last one, if there is one. */
function take(items, next) {
  const box = byId("trace-box");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  let over;
  for (const item of items) {
    if (item.kind === "over") over = item;
    if (over || (running.only && item.session && item.session !== running.only)) continue;
    if (item.kind === "session") running.sessions += 1;
    if (next) running.only ||= item.session ?? "";
    if (next && item.kind === "end") over = {};
    if (item.kind in LINES) lines.append(LINES[item.kind](item));
  }
  while (lines.childElementCount > MOST_LINES) lines.firstElementChild.remove();
  box.hidden = !lines.childElementCount;
  if (atEnd) box.scrollTop = box.scrollHeight;
  if (!over) say(running.sessions ? many(running.sessions, "session") : "waiting for sessions", "good");
  return over;
}

const LINES = {
  session: ({ session, at, client, dialect, route, agent }) =>
    line({ session, at }, "begins", [client, dialect, route && `route ${route}`, agent].filter(Boolean).join(", "), "", "ends"),
  line: ({ peer, way, text, meaning, ...when }) => {
    const [which, className] = WAYS[peer + way];
    return line(when, which, text, meaning, className);
  },
  remark: ({ peer = "", text, ...when }) => line(when, peer, "", text),
  end: ({ by, reason, ...when }) => line(when, "ends", [by && `by ${by}`, reason].filter(Boolean).join(", "), "", "ends"),
  lost: ({ items }) => line({}, "", "", `${many(items, "line")} lost: they were not read in time`, "bad"),
};

function line({ session = "", at }, which, text, meaning, className = "") {
  const made = element("li", className);
  const when = at === undefined ? "" : at.toFixed(3);
  for (const [name, value] of Object.entries({ when, session, which, text, meaning })) made.append(element("span", name, value));
  return made;
}

const many = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
const say = (text, state) => tell(byId("trace-state"), text, state);
