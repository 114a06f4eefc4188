// The demo's page: a table of probes that the page's server runs, a chat over a WebSocket to the gateway, and the file
// for a gateway of the user.
//
// What others said, and every byte of a transcript, goes into the page as text, never as HTML.

const GATEWAY = `ws://${location.host}`;
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
  const line = element("p", className);
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

const WAYS = { directly: "directly", gateway: "through the gateway" };

/** One way of a dialect to the server: its last report, and the button in the table that shows it. */
class Way {
  constructor(row, name) {
    this.row = row;
    this.name = name;
    this.report = null;
    this.button = element("button", "state", "waiting");
    this.button.type = "button";
    this.button.dataset.state = "connecting";
    this.button.setAttribute("aria-controls", "transcript");
    this.button.setAttribute("aria-pressed", "false");
    this.button.addEventListener("click", (event) => {
      event.stopPropagation();
      choose(this);
    });
  }

  async probe() {
    const before = this.button.textContent;
    this.button.classList.add("asking");
    try {
      this.report = await ask(`probe?dialect=${encodeURIComponent(this.row.name)}&way=${this.name}`);
    } catch (error) {
      this.report = { accepted: false, result: "failed", error: error.message, lines: [] };
    }
    this.button.classList.remove("asking");
    this.report.time = clock();
    const good = this.report.accepted && !this.report.error;
    tell(this.button, this.report.accepted && !good ? "broken" : this.report.result, good ? "connected" : "cut");
    this.button.title = this.report.error ?? "";
    // Nobody can read what changes every few seconds: a transcript stays until it says something else.
    if (this === chosen && before !== this.button.textContent) showTranscript(this);
  }

  get good() {
    return this.button.dataset.state === "connected";
  }
}

class Row {
  constructor(dialect) {
    this.name = dialect.name;
    this.history = [];
    this.directly = new Way(this, "directly");
    this.gateway = new Way(this, "gateway");
    this.roundTrip = cell("number", "–");
    this.bars = document.createElementNS(SVG, "svg");
    this.bars.setAttribute("viewBox", `0 0 ${HISTORY * BAR.step} ${BAR.height}`);
    this.bars.setAttribute("role", "img");
    const head = element("th");
    head.scope = "row";
    head.role = "rowheader";
    head.append(element("span", "name", dialect.name), element("span", "clients", dialect.spoken_by));
    this.element = element("tr");
    this.element.role = "row";
    this.element.dataset.dialect = dialect.name;
    this.element.dataset.directly = this.element.dataset.gateway = "waiting";
    const ways = [cell("way", this.directly.button), cell("way", this.gateway.button)];
    this.element.append(head, ...ways, this.roundTrip, cell("history", this.bars));
    this.element.addEventListener("click", () => choose(this.gateway));
  }

  async probe() {
    await this.directly.probe();
    await this.gateway.probe();
    for (const way of [this.directly, this.gateway]) {
      this.element.dataset[way.name] = way.good ? "accepted" : "refused";
    }
    const seconds = this.gateway.report.round_trip_seconds;
    this.roundTrip.textContent = milliseconds(seconds);
    this.history.push(seconds ?? 0);
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

function choose(way) {
  chosen?.row.element.classList.remove("chosen");
  chosen?.button.setAttribute("aria-pressed", "false");
  chosen = way;
  way.row.element.classList.add("chosen");
  way.button.setAttribute("aria-pressed", "true");
  showTranscript(way);
}

function showTranscript(way) {
  const transcript = byId("transcript");
  const time = way.report ? ` at ${way.report.time}` : "";
  byId("transcript-title").textContent = `${way.row.name} ${WAYS[way.name]}${time}`;
  const end = way.report && { direction: "=", text: summary(way.report), meaning: "" };
  transcript.replaceChildren(...(end ? [...way.report.lines, end] : []).map(transcriptLine));
  transcript.scrollTop = 0;
}

function summary(report) {
  const parts = [report.result];
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
  const [directly, gateway] = ["directly", "gateway"].map((name) => rows.filter((row) => row[name].good).length);
  const text = `accepted: ${directly} of ${rows.length} directly, ${gateway} of ${rows.length} through the gateway`;
  tell(byId("summary"), text, gateway === rows.length ? "connected" : "cut");
}

async function watchDialects() {
  const dialects = await ask("dialects");
  const rows = dialects.map((dialect) => new Row(dialect));
  byId("dialects").append(...rows.map((row) => row.element));
  byId("dialect-count").textContent = `${rows.length} dialects`;
  byId("guest-dialect").append(...rows.map((row) => new Option(row.name)));
  byId("guest-dialect").value = "hixie-76";
  choose((rows.find((row) => row.name === "hixie-76") ?? rows[0]).gateway);
  for (;;) {
    const begun = Date.now();
    if (!document.hidden) {
      for (const row of rows) await row.probe();
      summarise(rows);
    }
    await pause(Math.max(0, begun + ROUND_MS - Date.now()));
  }
}

// -- a server of the user ---------------------------------------------------------------------------------------

/** Shows the configuration for the address in the form, or what is wrong with that. */
async function showOwnFile() {
  const path = `wsgateway.yaml?url=${encodeURIComponent(byId("own-url").value.trim())}`;
  const response = await fetch(path).catch(() => null);
  const text = response ? await response.text() : "the demo does not answer";
  if (path !== `wsgateway.yaml?url=${encodeURIComponent(byId("own-url").value.trim())}`) return; // it has changed
  const good = Boolean(response?.ok);
  tell(byId("own-result"), good ? "" : text.trim());
  byId("own-url").setAttribute("aria-invalid", String(!good));
  byId("own-download").hidden = !good;
  byId("own-download").href = path;
  byId("own-file").textContent = good ? text : "";
}

byId("say").addEventListener("submit", say);
byId("guest").addEventListener("submit", letGuestSay);
byId("own").addEventListener("submit", (event) => event.preventDefault());
byId("own-url").addEventListener("input", showOwnFile);
showOwnFile();
setInterval(watch, 1000);
connect();
watchDialects().catch((error) => tell(byId("summary"), error.message, "cut"));
