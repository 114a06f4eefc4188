// What the page is made of: texts, times, and tables whose rows come and go.

export const byId = (id) => document.getElementById(id);
export const number = (value) => Number(value).toLocaleString("en");

/** Sets a text only if it is another one: a screen reader may say it again each time. */
export function tell(target, text, state = undefined) {
  if (target.textContent !== text) target.textContent = text;
  if (state !== undefined) target.dataset.state = state;
}

/** Returns a new element with a text. */
export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** A time, given in seconds since 1970, as short as it can be. */
export function time(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const clock = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === new Date().toDateString()) return clock;
  return `${day(seconds)} ${clock.slice(0, 5)}`;
}

export const day = (seconds) =>
  new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; value >= 1000 && at < units.length - 1; at++) value /= 1024;
  return `${value >= 10 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

// -- tables -----------------------------------------------------------------------------------------------------

// A cell is a text, or {text, small: lines below it, className, buttons: of [its text, what it does]; label: what all of
// them say besides to those who do not see the row}. In texts `this` is code.

/** Shows rows in a table. Rows and cells that stay the same are left alone, so that focus and selection stay. */
export function show(id, items, keyOf, cellsOf) {
  const body = byId(id);
  const labels = [...body.parentElement.tHead.rows[0].cells];
  const times = new Map();
  const keys = items.map((item) => {
    const key = keyOf(item);
    times.set(key, (times.get(key) ?? 0) + 1);
    return `${key} ${times.get(key)}`; // two may be alike
  });
  const wanted = new Set(keys);
  for (const row of [...body.rows]) if (!wanted.has(row.dataset.key)) removeRow(row, body.closest("section"));
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  let next = body.firstElementChild;
  items.forEach((item, at) => {
    const row = old.get(keys[at]) ?? newRow(keys[at], labels);
    cellsOf(item).forEach((cell, column) => fill(row.cells[column], typeof cell === "object" ? cell : { text: cell }));
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  });
  body.parentElement.hidden = items.length === 0;
  byId(`${id}-none`).hidden = items.length > 0;
}

/** Removes a row. A person who was in it with the keyboard stays in its section. */
function removeRow(row, section) {
  const focused = row.contains(document.activeElement);
  row.remove();
  if (!focused) return;
  section.tabIndex = -1;
  section.focus({ preventScroll: true });
}

// The roles are for phones, where the style turns rows into cards, which would cost them their meaning.
const ROLES = { table: "table", "thead, tbody": "rowgroup", "thead tr": "row", th: "columnheader" };
for (const [which, role] of Object.entries(ROLES)) {
  for (const each of document.querySelectorAll(which)) each.setAttribute("role", role);
}

function newRow(key, labels) {
  const row = element("tr");
  row.dataset.key = key;
  row.setAttribute("role", "row");
  for (const label of labels) {
    const cell = element("td", label.className);
    cell.setAttribute("role", "cell");
    cell.dataset.label = label.textContent;
    row.append(cell);
  }
  return row;
}

function fill(cell, { text = "", small = [], className = "", buttons = [], label = "" }) {
  const lines = small.filter(Boolean);
  const made = JSON.stringify([text, lines, className, buttons.map(([verb]) => verb), label]);
  cell.acts = buttons.map(([, act]) => act);
  if (cell.made === made) return;
  const focused = [...cell.querySelectorAll("button")].indexOf(document.activeElement);
  cell.made = made;
  cell.replaceChildren();
  if (text !== "") cell.append(withCode("span", className, String(text)));
  for (const line of lines) cell.append(withCode("small", "", line));
  buttons.forEach(([verb], at) => {
    const pressed = element("button", "", verb);
    pressed.type = "button";
    pressed.setAttribute("aria-label", `${verb} ${label}`);
    pressed.addEventListener("click", () => cell.acts[at]());
    cell.append(pressed);
    if (at === focused) pressed.focus();
  });
}

function withCode(name, className, text) {
  const made = element(name, className);
  made.append(...text.split("`").map((part, at) => (at % 2 ? element("code", "", part) : part)));
  return made;
}

/** Says how many rows there are that are not shown. */
export function more(id, { rows, count }) {
  byId(`${id}-more`).hidden = count <= rows.length;
  tell(byId(`${id}-more`), `and ${number(count - rows.length)} more`);
}
