// The demo's page: a chat over a WebSocket to the gateway, and a table of probes that the page's server runs.
//
// What others said, and every byte of a transcript, goes into the page as text, never as HTML.

const GATEWAY = `ws://${location.hostname}:${document.documentElement.dataset.gatewayPort}`;
const MESSAGES_KEPT = 200;
const SILENCE_MS = 15_000; // three heartbeats
const RECONNECT_MS = [1000, 2000, 4000, 8000];
const ROUND_MS = 3000;
const HISTORY = 20; // a minute
const BAR = { width: 4, step: 5, height: 22 };
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clock = (date = new Date()) => date.toLocaleTimeString("en-GB");

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Sets a text only if it is another one: a screen reader says it again each time. */
function tell(target, text, state = undefined) {
  if (target.textContent !== text) target.textContent = text;
  if (state !== undefined) target.dataset.state = state;
}

/** What the page's server answers. Throws an Error with words for people. */
async function ask(path, options = {}) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("the demo does not answer");
  });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

// -- the chat ---------------------------------------------------------------------------------------------------

const chat = { socket: null, name: null, members: 0, heard: 0, attempts: 0 };

function connect() {
  tell(byId("connection"), "connecting", "connecting");
  chat.socket = new WebSocket(`${GATEWAY}/chat`);
  chat.name = null;
  chat.heard = Date.now();
  chat.socket.onmessage = (event) => hear(JSON.parse(event.data));
  chat.socket.onclose = reconnect;
}

async function reconnect() {
  allowSaying(false);
  const wait = RECONNECT_MS[Math.min(chat.attempts++, RECONNECT_MS.length - 1)];
  tell(byId("connection"), `not connected, next attempt in ${wait / 1000} s`, "cut");
  await pause(wait);
  connect();
}

function hear(message) {
  chat.heard = Date.now();
  chat.members = message.members ?? chat.members;
  switch (message.type) {
    case "joined":
      if (chat.name === null) welcome(message.who); // the first one is ours
      show("event", message.who, "joined");
      break;
    case "left":
      show("event", message.who, "left");
      break;
    case "say":
      show(message.who === chat.name ? "own" : "", message.who, message.text);
      break;
    case "heartbeat":
      beat();
      break;
  }
  tellHeartbeat();
}

function welcome(name) {
  chat.name = name;
  chat.attempts = 0;
  chat.beat = undefined;
  tell(byId("connection"), `connected as ${name}`, "connected");
  allowSaying(true);
}

function allowSaying(allowed) {
  byId("text").disabled = byId("send").disabled = !allowed;
}

/** A line of the chat. A name is "guest-3 (hixie-76)": the dialect becomes a tag. */
function show(className, who, text) {
  const messages = byId("messages");
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 40;
  const [, name, dialect] = /^(.*?)(?: \((.*)\))?$/.exec(who);
  const line = element("li", className);
  line.append(element("time", "", clock()), element("span", "who", name));
  line.append(dialect ? element("span", "tag", dialect) : " ", element("span", "", text));
  messages.append(line);
  while (messages.childElementCount > MESSAGES_KEPT) messages.firstElementChild.remove();
  if (atEnd) messages.scrollTop = messages.scrollHeight;
}

function beat() {
  chat.beat = Date.now();
  const dot = document.querySelector(".beat");
  dot.classList.remove("now");
  void dot.offsetWidth; // starts the animation anew
  dot.classList.add("now");
}

function tellHeartbeat() {
  const members = `${chat.members} ${chat.members === 1 ? "member" : "members"}`;
  const heartbeat = chat.beat ? `heartbeat ${Math.round((Date.now() - chat.beat) / 1000)} s ago` : "no heartbeat yet";
  const connected = chat.socket?.readyState === WebSocket.OPEN;
  tell(byId("heartbeat-text"), connected ? `${members}, ${heartbeat}` : "no heartbeat");
  if (!connected) document.querySelector(".beat").classList.remove("now");
}

/** A connection can be dead without an end; then its heartbeat stays away. */
function watch() {
  tellHeartbeat();
  if (chat.socket.readyState === WebSocket.OPEN && Date.now() - chat.heard > SILENCE_MS) {
    chat.socket.onclose = null; // which would wait for the answer of one who is gone
    chat.socket.close();
    reconnect();
  }
}

function say(event) {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (text) chat.socket.send(JSON.stringify({ say: text }));
  byId("text").value = "";
  byId("text").focus();
}

async function letGuestSay(event) {
  event.preventDefault();
  const button = event.submitter;
  const name = byId("guest-dialect").value;
  button.disabled = true;
  try {
    const report = await ask(`say?dialect=${encodeURIComponent(name)}`, { method: "POST" });
    tell(byId("guest-result"), report.error ? `${name}: ${report.error}` : "");
  } catch (error) {
    tell(byId("guest-result"), `${name}: ${error.message}`);
  }
  button.disabled = false;
}

// -- the dialects -----------------------------------------------------------------------------------------------

class Row {
  constructor(dialect) {
    this.name = dialect.name;
    this.history = [];
    this.report = null;
    this.button = element("button", "", dialect.name);
    this.button.type = "button";
    this.button.setAttribute("aria-controls", "transcript");
    this.button.setAttribute("aria-pressed", "false");
    this.status = element("span", "state", "waiting");
    this.handshake = cell("number", "–");
    this.roundTrip = cell("number", "–");
    this.bars = document.createElementNS(SVG, "svg");
    this.bars.setAttribute("viewBox", `0 0 ${HISTORY * BAR.step} ${BAR.height}`);
    this.bars.setAttribute("role", "img");
    const head = element("th");
    head.scope = "row";
    head.role = "rowheader";
    head.append(this.button, element("span", "clients", dialect.spoken_by));
    this.element = element("tr");
    this.element.role = "row";
    this.element.dataset.dialect = dialect.name;
    this.element.dataset.status = "waiting";
    this.element.append(head, cell("", this.status), this.handshake, this.roundTrip, cell("history", this.bars));
    this.element.addEventListener("click", () => choose(this));
  }

  async probe() {
    const before = this.element.dataset.status;
    this.element.classList.add("asking");
    try {
      this.report = await ask(`probe?dialect=${encodeURIComponent(this.name)}`);
    } catch (error) {
      this.report = { accepted: false, error: error.message, lines: [] };
    }
    this.element.classList.remove("asking");
    this.report.time = clock();
    this.update();
    // Nobody can read what changes every few seconds: a transcript stays until it says something else.
    if (this === chosen && before !== this.element.dataset.status) showTranscript(this);
  }

  get good() {
    return this.report.accepted && !this.report.error;
  }

  update() {
    const report = this.report;
    this.element.dataset.status = this.good ? "accepted" : "refused";
    tell(this.status, this.good ? "accepted" : report.error ?? "not accepted");
    this.handshake.textContent = milliseconds(report.handshake_seconds);
    this.roundTrip.textContent = milliseconds(report.round_trip_seconds);
    this.history.push(report.round_trip_seconds ?? 0);
    this.history.splice(0, this.history.length - HISTORY);
    this.draw();
  }

  /** A bar for each round trip, the newest at the right. What is usual stands half high; a slow one ends at the top. */
  draw() {
    const usual = [...this.history].sort((a, b) => a - b)[Math.floor(this.history.length / 2)] || 1;
    const bars = this.history.map((seconds, at) => {
      const height = Math.min(BAR.height, Math.max(1, (BAR.height * seconds) / usual / 2));
      const bar = document.createElementNS(SVG, "rect");
      bar.setAttribute("x", (HISTORY - this.history.length + at) * BAR.step);
      bar.setAttribute("y", BAR.height - height);
      bar.setAttribute("width", BAR.width);
      bar.setAttribute("height", height);
      return bar;
    });
    this.bars.replaceChildren(...bars);
    const slowest = milliseconds(Math.max(...this.history));
    this.bars.setAttribute("aria-label", `the last ${this.history.length} round trips, the slowest ${slowest}`);
  }
}

function cell(className, ...content) {
  const made = element("td", className);
  made.role = "cell";
  made.append(...content);
  return made;
}

function milliseconds(seconds) {
  return seconds == null ? "–" : `${(seconds * 1000).toFixed(1)} ms`;
}

let chosen = null;

function choose(row) {
  chosen?.element.classList.remove("chosen");
  chosen?.button.setAttribute("aria-pressed", "false");
  chosen = row;
  row.element.classList.add("chosen");
  row.button.setAttribute("aria-pressed", "true");
  showTranscript(row);
}

function showTranscript(row) {
  const transcript = byId("transcript");
  const time = row.report ? ` at ${row.report.time}` : "";
  byId("transcript-title").textContent = `Transcript: ${row.name}${time}`;
  const lines = row.report ? [...row.report.lines, { direction: "=", text: summary(row.report), meaning: "" }] : [];
  transcript.replaceChildren(...lines.map(transcriptLine));
  transcript.scrollTop = 0;
}

function summary(report) {
  const parts = [report.accepted ? "accepted" : "not accepted"];
  if (report.handshake_seconds != null) parts.push(`handshake ${milliseconds(report.handshake_seconds)}`);
  if (report.round_trip_seconds != null) parts.push(`round trip ${milliseconds(report.round_trip_seconds)}`);
  return [...parts, report.closed, report.error].filter(Boolean).join(", ");
}

const DIRECTIONS = { ">": "sent", "<": "received", "=": "remark" };

function transcriptLine({ direction, text, meaning }) {
  const line = element("p", meaning ? "explained" : "");
  const className = DIRECTIONS[direction];
  line.append(element("span", className, direction), element("span", `text ${className}`, text));
  if (meaning) line.append(element("span", "meaning", meaning));
  return line;
}

function summarise(rows) {
  const accepted = rows.filter((row) => row.element.dataset.status === "accepted").length;
  const all = accepted === rows.length;
  tell(byId("summary"), all ? `all ${accepted} accepted` : `${accepted} of ${rows.length} accepted`, all ? "connected" : "cut");
}

async function watchDialects() {
  const dialects = await ask("dialects");
  const rows = dialects.map((dialect) => new Row(dialect));
  byId("dialects").append(...rows.map((row) => row.element));
  byId("dialect-count").textContent = `${rows.length} dialects`;
  byId("guest-dialect").append(...rows.map((row) => new Option(row.name)));
  byId("guest-dialect").value = "hixie-76";
  choose(rows.find((row) => row.name === "hixie-76") ?? rows[0]);
  for (;;) {
    const begun = Date.now();
    if (!document.hidden) {
      for (const row of rows) await row.probe();
      summarise(rows);
    }
    await pause(Math.max(0, begun + ROUND_MS - Date.now()));
  }
}

byId("say").addEventListener("submit", say);
byId("guest").addEventListener("submit", letGuestSay);
setInterval(watch, 1000);
connect();
watchDialects().catch((error) => tell(byId("summary"), error.message, "cut"));
