// The page of a running gateway: it shows what the gateway sends, as it changes, and asks it to do something.
//
// What clients have made up (agents, origins, paths) goes into the page as text, never as HTML.

import { byId, bytes, day, more, number, show, tell, time } from "./parts.js";
import { allowTraces, prepareTrace } from "./trace.js";

const REFUSALS_SHOWN = 10;
const LIST_MS = 4000; // how often the list of sessions is read again
const TYPING_MS = 300;
const SAID_MS = 8000;
const AGAIN_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";
const PLOT = { width: 1000, height: 200 };

const shown = { token: "", actions: [], dialects: [], census: {}, sections: {}, allRefusals: false, ends: [""] };

const colour = (dialect) => `c${shown.dialects.indexOf(dialect) % 12}`;
const asked = (each) => `${each.host ?? ""}${each.path ?? ""}`;
const from = (each) => each.forwarded_for ?? each.client ?? "";
const by = (each) => (each.forwarded_for ? `through ${each.client}` : "");

// -- what the gateway sends, by section --------------------------------------------------------------------------

const SECTIONS = {
  own({ token, actions }) {
    shown.token = token;
    shown.actions = actions;
    for (const [table, wanted] of [["targets", ["target"]], ["sessions", ["close", "trace"]]]) {
      byId(table).parentElement.classList.toggle("looking", !wanted.some((action) => actions.includes(action)));
    }
    byId("trace").hidden = !actions.includes("trace");
    showTargets();
  },
  summary({ version, sentence, ready, draining, sessions }) {
    tell(byId("version"), version);
    tell(byId("sentence"), sentence);
    byId("sentence").className = ready ? "" : draining ? "waiting" : "bad";
    tell(byId("total"), number(sessions));
    document.title = `${number(sessions)} · wsgateway`;
  },
  dialects(names) {
    shown.dialects = names;
    for (const form of ["filter", "trace-form"]) {
      const select = byId(form).elements.dialect;
      const known = new Set([...select.options].map((option) => option.value));
      for (const name of names) if (!known.has(name)) select.add(new Option(name, name));
    }
  },
  sessions(sessions) {
    const place = (row) => shown.dialects.indexOf(row.dialect);
    sessions.rows.sort((one, other) => place(one) - place(other) || one.route.localeCompare(other.route));
    show("now", sessions.rows, (row) => `${row.dialect} ${row.route}`, (row) => [
      { text: row.dialect, className: `mono swatch ${colour(row.dialect)}` },
      row.route,
      number(row.open),
    ]);
    more("now", sessions);
    showDialects();
    readList();
  },
  census(census) {
    shown.census = census;
    showDialects();
  },
  chart: () => showChart(),
  targets: () => showTargets(),
  refusals: () => showRefusals(),
  certificates(certificates) {
    show("certificates", certificates.rows, (row) => `${row.used_by} ${row.file}`, (row) => [
      { text: row.hosts.join(", "), small: [row.file] },
      expiry(row),
      row.used_by,
    ]);
    more("certificates", certificates);
  },
  configuration({ file, sha256, since, reload }) {
    tell(byId("file"), file);
    tell(byId("sha256"), sha256 || "none");
    tell(byId("since"), time(since));
    const why = [reload.reason, reload.why].filter(Boolean).join(": ");
    tell(byId("reload"), `${time(reload.at)} ${reload.ok ? "went well" : `was refused: ${why}`}`);
    byId("reload").className = reload.ok ? "good" : "bad";
  },
  workers(workers) {
    show("workers", workers.rows, (row) => String(row.worker), (row) => [
      { text: row.worker, small: [row.pid ? `process ${row.pid}` : ""] },
      { text: row.state, className: row.state === "serving" ? "good" : "waiting" },
      { text: time(row.since), className: "time" },
      number(row.open),
      { text: number(row.restarts), className: row.restarts ? "waiting" : "" },
    ]);
    more("workers", workers);
  },
};

function expiry({ begins, expires }) {
  const days = Math.floor(expires - Date.now() / 1000) / 86400;
  if (days < 0) return { text: day(expires), className: "bad", small: ["is over"] };
  if (begins > Date.now() / 1000) return { text: day(expires), className: "bad", small: [`begins ${day(begins)}`] };
  return { text: day(expires), className: days < 14 ? "waiting" : "", small: [`in ${Math.floor(days)} days`] };
}

const STATES = { up: "good", draining: "waiting", drained: "waiting", down: "bad", ejected: "bad" };

function showTargets() {
  const targets = shown.sections.targets ?? { rows: [], count: 0 };
  show("targets", targets.rows, (row) => `${row.upstream} ${row.url} ${row.address}`, (row) => [
    row.upstream,
    {
      text: row.url,
      className: "mono",
      small: [row.url.includes(row.address) ? "" : row.address, row.backup ? "backup" : "", row.weight > 1 ? `weight ${row.weight}` : ""],
    },
    { text: row.state, className: `state ${STATES[row.state] ?? ""}` },
    number(row.open),
    number(row.served),
    { text: number(row.failures), className: row.failures ? "waiting" : "" },
    { text: row.last_reason ?? "", small: [row.last_failure ?? ""] },
    targetAction(row),
  ]);
  more("targets", targets);
}

function showRefusals() {
  const all = shown.sections.refusals ?? [];
  const rows = shown.allRefusals ? all : all.slice(0, REFUSALS_SHOWN);
  show("refusals", rows, (row) => `${row.at} ${row.client} ${row.reason}`, (row) => [
    { text: time(row.at), className: "time" },
    { text: from(row), className: "mono", small: [by(row), row.agent, row.origin ? `from a page of ${row.origin}` : ""] },
    { text: asked(row), small: [row.dialect, row.route ? `route ${row.route}` : "", row.listener ? `listener ${row.listener}` : ""] },
    { text: row.reason, className: "mono", small: [row.status ? `answered ${row.status}` : "got no answer", row.why] },
    { text: row.cure ?? "", small: [row.cause ?? ""] },
  ]);
  byId("refusals-all").hidden = all.length <= REFUSALS_SHOWN;
  tell(byId("refusals-all"), shown.allRefusals ? `Show the last ${REFUSALS_SHOWN}` : `Show all ${all.length}`);
}

byId("refusals-all").addEventListener("click", () => {
  shown.allRefusals = !shown.allRefusals;
  showRefusals();
});

// -- the chart --------------------------------------------------------------------------------------------------

const SPANS = { hour: "the last hour", day: "the last day", quarter: "the last 90 days" };
const span = () => document.querySelector("input[name=span]:checked").value;

/** The series that are shown, the oldest dialect first: [dialect, how many sessions were open in each step]. */
function series(chart) {
  const names = shown.dialects.filter((name) => name in chart.open && !(byId("old-only").checked && name === "rfc6455"));
  return names.map((name) => [name, chart.open[name]]);
}

function showChart() {
  const chart = shown.sections.chart?.[span()];
  byId("chart").hidden = !chart;
  byId("chart-none").hidden = Boolean(chart);
  byId("chart-which").hidden = !chart;
  if (!chart) return;
  const drawn = series(chart);
  const most = Math.max(1, ...chart.known.map((_, at) => drawn.reduce((sum, [, values]) => sum + values[at], 0)));
  const step = PLOT.width / chart.known.length;
  const bars = byId("bars");
  bars.setAttribute("viewBox", `0 0 ${PLOT.width} ${PLOT.height}`);
  bars.replaceChildren();
  chart.known.forEach((known, at) => {
    if (!known) bars.append(bar("gap", at * step, step, 0, PLOT.height));
    let top = PLOT.height;
    for (const [dialect, values] of drawn) {
      const height = (values[at] / most) * PLOT.height;
      top -= height;
      if (height) bars.append(bar(colour(dialect), at * step, step * 0.94, top, height));
    }
  });
  tell(byId("chart-most"), number(most));
  tell(byId("chart-begin"), ago(chart, chart.known.length));
  tell(byId("chart-end"), "now");
  const gaps = chart.known.includes(false) ? " Grey: the gateway was not running." : "";
  const what = drawn.length ? `at most ${number(most)} at once` : "none were open";
  tell(byId("chart-caption"), `Open sessions by dialect in ${SPANS[span()]}, ${what}.${gaps}`);
  showDialects();
}

function bar(className, x, width, y, height) {
  const rect = document.createElementNS(SVG, "rect");
  rect.setAttribute("class", className);
  for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, value.toFixed(2));
  return rect;
}

function ago(chart, steps) {
  const begin = chart.end - steps * chart.step;
  return chart.step >= 86400 ? day(begin) : time(begin);
}

function showDialects() {
  const open = {};
  for (const row of shown.sections.sessions?.rows ?? []) open[row.dialect] = (open[row.dialect] ?? 0) + row.open;
  const chart = shown.sections.chart?.[span()];
  const seen = shown.dialects.filter((name) => open[name] || shown.census[name]?.last_seen);
  show("dialects", seen, String, (name) => [
    { text: name, className: `mono swatch ${colour(name)}` },
    number(open[name] ?? 0),
    chart ? number(Math.max(open[name] ?? 0, ...(chart.open[name] ?? []))) : "",
    { text: open[name] ? "now" : time(shown.census[name]?.last_seen), className: "time" },
  ]);
}

for (const input of document.querySelectorAll("input[name=span], #old-only")) input.addEventListener("change", showChart);

// -- the list of sessions ----------------------------------------------------------------------------------------

const list = { reading: false, again: false, timer: 0, end: "" };

/** Reads the part of the list that is shown; if that is under way, once more behind it. */
async function readList() {
  if (list.reading) {
    list.again = true;
    return;
  }
  list.reading = true;
  clearTimeout(list.timer);
  try {
    const given = [...new FormData(byId("filter"))].filter(([, value]) => value);
    const response = await fetch(`sessions?${new URLSearchParams([...given, ["after", shown.ends.at(-1)]])}`);
    if (response.ok) showList(await response.json());
    tell(byId("list-why"), response.ok ? "" : (await response.text()).trim());
  } catch {
    // The state of the connection says it.
  }
  list.reading = false;
  if (list.again) {
    list.again = false;
    readList();
  } else if (!document.hidden) {
    list.timer = setTimeout(readList, LIST_MS);
  }
}

function showList({ rows, matching, open, before, end }) {
  if (!rows.length && shown.ends.length > 1) {
    shown.ends.pop(); // they have ended meanwhile
    list.again = true;
    return;
  }
  show("sessions", rows, (row) => row.id, (row) => [
    { text: from(row), className: "mono", small: [by(row)] },
    { text: row.dialect, className: `mono swatch ${colour(row.dialect)}` },
    { text: row.route, small: [row.target] },
    { text: time(row.since), className: "time" },
    `${number(row.messages_in)} / ${number(row.messages_out)}`,
    `${bytes(row.bytes_in)} / ${bytes(row.bytes_out)}`,
    { text: asked(row), small: [row.origin ? `from a page of ${row.origin}` : ""] },
    { small: [row.agent] },
    sessionActions(row),
  ]);
  const whole = rows.length === matching;
  const which = whole ? "" : `${number(before + 1)} to ${number(before + rows.length)} of `;
  byId("turn").hidden = whole;
  tell(byId("list-count"), which + number(matching) + (matching === open ? "" : `, of ${number(open)} that are open`));
  byId("before").disabled = shown.ends.length === 1;
  byId("after").disabled = before + rows.length >= matching;
  list.end = end;
}

byId("before").addEventListener("click", () => {
  shown.ends.pop();
  readList();
});
byId("after").addEventListener("click", () => {
  shown.ends.push(list.end);
  readList();
});
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener("input", () => {
  shown.ends = [""]; // from the oldest on
  clearTimeout(list.timer);
  list.timer = setTimeout(readList, TYPING_MS);
});
document.addEventListener("visibilitychange", () => document.hidden || readList());

// -- actions -----------------------------------------------------------------------------------------------------

function sessionActions(row) {
  const buttons = [];
  if (shown.actions.includes("close")) buttons.push(["Close", () => closeSession(row)]);
  if (shown.actions.includes("trace")) buttons.push(["Trace", () => prepareTrace({ dialect: row.dialect, client: address(row), route: row.route })]);
  return { buttons, label: `the session of ${from(row)}` };
}

/** Returns the address of a client without its port. */
function address(row) {
  const [, bracketed, plain] = from(row).match(/^(?:\[([^\]]+)\](?::\d+)?|([^:]*):\d+)$/) ?? [];
  return bracketed ?? plain ?? from(row);
}

function closeSession(row) {
  const what = `${from(row)} (${row.dialect}) on route ${row.route}`;
  confirm("Close this session?", `${what} gets a Close, and so does its upstream.`, "Close it", async () => {
    if (await act("close", { id: row.id }, `The session of ${what} is closed.`)) readList();
  });
}

function targetAction(row) {
  if (!shown.actions.includes("target")) return "";
  if (row.state === "draining") return ""; // the file names it no more
  const given = { upstream: row.upstream, target: row.url };
  if (row.state === "drained") {
    const enable = () => act("target", { ...given, action: "enable" }, `${row.url} gets clients again.`);
    return { buttons: [["Enable", enable]], label: row.url };
  }
  const drain = () => act("target", { ...given, action: "drain" }, `${row.url} gets no more clients.`);
  const text = `${row.url} of ${row.upstream} gets no more clients. Sessions that it has go on.`;
  return { buttons: [["Drain", () => confirm("Drain this target?", text, "Drain it", drain)]], label: row.url };
}

/** Asks whether something is meant. Focus goes back to where it was by itself. */
function confirm(title, text, verb, doIt) {
  tell(byId("confirm-title"), title);
  tell(byId("confirm-text"), text);
  tell(byId("confirm-yes"), verb);
  byId("confirm-yes").onclick = () => {
    byId("confirm").close();
    doIt();
  };
  byId("confirm").showModal();
}

byId("confirm-no").addEventListener("click", () => byId("confirm").close());

/** Has the gateway do something, and says what came of it. Returns whether it was done. */
async function act(name, given, done) {
  try {
    const headers = { "Wsgateway-Token": shown.token };
    const response = await fetch(`do/${name}?${new URLSearchParams(given)}`, { method: "POST", headers });
    if (response.ok) say([done, ...(await response.json()).findings].join(" "));
    else say(`Not done: ${(await response.text()).trim()}`);
    return response.ok;
  } catch {
    say("Not done: the gateway does not answer.");
    return false;
  }
}

function say(text) {
  clearTimeout(say.timer);
  byId("said").textContent = text;
  say.timer = setTimeout(() => (byId("said").textContent = ""), SAID_MS);
}

// -- live --------------------------------------------------------------------------------------------------------

function listen() {
  const events = new EventSource("live");
  events.onmessage = (event) => {
    const sections = JSON.parse(event.data);
    Object.assign(shown.sections, sections);
    for (const name of Object.keys(SECTIONS)) if (name in sections) SECTIONS[name](sections[name]);
    tell(byId("live"), "live", "good");
  };
  events.onerror = () => {
    tell(byId("live"), "not connected, trying again", "bad");
    if (events.readyState !== EventSource.CLOSED) return; // the browser itself tries again
    setTimeout(listen, AGAIN_MS);
  };
}

allowTraces(() => shown.token);
listen();
