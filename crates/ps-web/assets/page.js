// Keeps the page up to date. The server has written the page as it was at the event data-id; what follows comes from /events. Whatever
// an app wrote gets into the page as text alone.
"use strict";

const root = document.documentElement;
const apps = document.getElementById("apps");
const live = document.getElementById("live");
const filter = document.getElementById("filter");
const HEADINGS = [["Process"], ["State"], ["Since"], ["Memory", "number"], ["CPU", "number"], ["Restarts", "number wide"],
  ["Last exit", "wide"], ["Port", "number wide"], ["PID", "number wide"], ["Release", "number wide"]];
// What is open below a row, by the slot that it belongs to.
const open = new Map();

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// As the programs say it: 3 m.
function age(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
  if (Number.isNaN(seconds)) return "-";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

const orDash = (value, unit = "") => value === null || value === undefined ? "-" : `${value}${unit}`;

function exitOf(row) {
  if (row.last_exit === null) return "-";
  return "code" in row.last_exit ? `code ${row.last_exit.code}` : `signal ${row.last_exit.signal}`;
}

function keyOf(row) {
  return `${row.app}/${row.process_type}.${row.index}${row.run === null ? "" : `@${row.run}`}`;
}

function restartsOf(row) {
  const occurred = Object.entries(row.restarts_by_reason ?? {}).filter(([, count]) => count > 0);
  const reasons = occurred.map(([reason, count]) => `${count} ${reason}`).join(", ");
  return element("td", {class: "number wide", title: reasons}, orDash(row.restarts));
}

function rowsOf(row) {
  const slot = `${row.process_type}.${row.index}`;
  const role = row.role && row.role !== "current" ? ` ${row.role}` : "";
  const memory = row.memory_bytes === null ? null : Math.floor(row.memory_bytes / 1048576);
  const cells = [
    element("td", {}, element("button", {type: "button", class: "open"}, slot), role),
    element("td", {class: `state ${row.state}`}, row.state),
    element("td", {}, element("time", {datetime: row.since ?? ""}, row.since ? age(row.since) : "-")),
    orDash(memory, " MiB"), orDash(row.cpu_percent, " %"), restartsOf(row), exitOf(row), orDash(row.port), orDash(row.pid),
    orDash(row.release),
  ].map((cell, place) => typeof cell === "string" ? element("td", {class: HEADINGS[place][1] ?? ""}, cell) : cell);
  const made = [element("tr", {"data-key": keyOf(row)}, ...cells)];
  if (row.note) made.push(element("tr", {class: "note"}, element("td", {colspan: 10}, row.note)));
  return made;
}

function sectionOf(app) {
  const found = apps.querySelector(`[data-app="${CSS.escape(app)}"]`);
  if (found) return found;
  const headings = HEADINGS.map(([text, kind]) => element("th", kind ? {class: kind} : {}, text));
  const made = element("section", {class: "app", "data-app": app}, element("h2", {}, app, " ", element("small")),
    element("table", {}, element("thead", {}, element("tr", {}, ...headings)), element("tbody")));
  const after = [...apps.children].find((section) => section.dataset.app > app);
  apps.insertBefore(made, after ?? null);
  return made;
}

function showApp(app, rows) {
  const section = sectionOf(app);
  section.querySelector("small").textContent = rows.flatMap((row) => row.listen ?? [])[0] ?? "";
  const body = section.querySelector("tbody");
  const held = document.activeElement?.closest("tr")?.dataset.key;
  body.replaceChildren(...rows.flatMap((row) => {
    const detail = open.get(`${app}/${row.process_type}.${row.index}`);
    const made = rowsOf(row);
    return detail && row.role !== "leaving" ? [...made, detail] : made;
  }));
  if (held) body.querySelector(`[data-key="${CSS.escape(held)}"] .open`)?.focus();
  sift(section);
}

function showSilent(silent) {
  const lines = silent.map((one) => element("li", {}, `${one.apps.join(", ")}: ${one.reason}`));
  document.getElementById("silent").replaceChildren(...lines);
}

// All of it, after something was missed.
async function showAll() {
  const answer = await fetch("/api/status");
  if (!answer.ok) return;
  const {rows, silent} = await answer.json();
  const byApp = Map.groupBy ? Map.groupBy(rows, (row) => row.app) : rows.reduce(
    (all, row) => all.set(row.app, [...(all.get(row.app) ?? []), row]), new Map());
  for (const section of [...apps.children]) if (!byApp.has(section.dataset.app)) section.remove();
  byApp.forEach((rows, app) => showApp(app, rows));
  showSilent(silent);
}

function listen(after) {
  const events = new EventSource(`/events?after=${encodeURIComponent(after)}`);
  events.addEventListener("open", () => { live.textContent = "live"; });
  events.addEventListener("error", () => { live.textContent = "not connected, trying again"; });
  events.addEventListener("gap", showAll);
  events.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    for (const {app, rows} of change.apps) showApp(app, rows);
    for (const app of change.gone) apps.querySelector(`[data-app="${CSS.escape(app)}"]`)?.remove();
    showSilent(change.silent);
  });
}

function sift(section) {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text) => words.every((word) => text.toLowerCase().includes(word));
  let isAny = words.length === 0;
  for (const row of section.querySelectorAll("tr[data-key]")) {
    const [process, state] = row.cells;
    row.hidden = !has(`${section.dataset.app} ${process.textContent} ${state.textContent}`);
    isAny ||= !row.hidden;
  }
  section.hidden = !isAny;
}

// --- what is shown below a row ---------------------------------------------------------------------------------

async function answerOf(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? body.said);
  return body;
}

const time = (at) => at ? new Date(at).toLocaleTimeString() : "";

const SHOWN = {
  "Output": async (app, slot) => {
    const {rows} = await answerOf(`/api/apps/${app}/logs?n=200&process=${slot}`);
    return rows.map((row) => `${time(row.at)} ${row.line}`).join("\n") || "Nothing was written.";
  },
  "Why": async (app, slot) => {
    const {rows: [row]} = await answerOf(`/api/apps/${app}/explain?process=${slot}`);
    const cure = row.cure ? ` What to do: ${row.cure}.` : "";
    return `${row.situation}. ${row.reasons.map((reason) => `${reason.says}.`).join(" ")}${cure}`;
  },
  "Journal": async (app) => {
    const {rows} = await answerOf(`/api/apps/${app}/events?n=50`);
    const line = ({at, app: _app, format: _f, monotonic_ms: _m, boot: _b, act: _a, event, ...rest}) =>
      `${time(at)} ${event} ${Object.entries(rest).map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ")}`;
    return rows.map(line).join("\n") || "Nothing has happened.";
  },
};

// A line over the last 24 hours. A gap of more than two minutes is one.
function graphOf(caption, points, unit) {
  if (!points.length) return element("figure", {}, element("figcaption", {}, `${caption}: nothing is known yet`));
  const svg = (name, properties) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(properties)) made.setAttribute(key, value);
    return made;
  };
  const until = Math.floor(Date.now() / 60000);
  const most = Math.max(...points.map(([, value]) => value), 1);
  let last = -Infinity;
  const path = points.map(([minute, value]) => {
    const word = minute - last > 2 ? "M" : "L";
    last = minute;
    return `${word}${1440 - (until - minute)} ${(100 - value / most * 95).toFixed(1)}`;
  }).join("");
  const graph = svg("svg", {viewBox: "0 0 1440 100", preserveAspectRatio: "none", role: "img", "aria-label": caption});
  graph.append(svg("path", {d: path.includes("L") ? path : `${path}h1`}));
  const text = `${caption}: ${points.at(-1)[1].toFixed(1)} ${unit} now, ${most.toFixed(1)} ${unit} at most in 24 h`;
  return element("figure", {}, element("figcaption", {}, text), graph);
}

async function showGraphs(app, slot, into) {
  const {points} = await answerOf(`/api/apps/${encodeURIComponent(app)}/usage?process=${encodeURIComponent(slot)}`);
  const of = (key, unit) => points.filter((point) => point[key] !== null).map((point) => [point.minute, point[key] / unit]);
  into.replaceChildren(graphOf("CPU", of("cpu_percent", 1), "%"), graphOf("Memory", of("memory_bytes", 1048576), "MiB"));
}

function detailOf(app, slot) {
  const graphs = element("div", {class: "graphs"});
  showGraphs(app, slot, graphs).catch((error) => { graphs.textContent = error.message; });
  const said = element("p", {class: "said", role: "status"});
  const text = element("pre");
  const show = (name) => async () => {
    said.textContent = "…";
    try {
      text.textContent = await SHOWN[name](encodeURIComponent(app), encodeURIComponent(slot));
      said.textContent = "";
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const acts = Object.keys(SHOWN).map((name) => element("button", {type: "button", onclick: show(name)}, name));
  if (root.dataset.writes === "yes") acts.push(...ordersOf(app, slot, said));
  show("Output")();
  return element("tr", {class: "detail"}, element("td", {colspan: 10}, graphs, element("div", {class: "acts"}, ...acts), said, text));
}

function ordersOf(app, slot, said) {
  const order = async (verb, body, question) => {
    if (!confirm(question)) return;
    said.textContent = `${verb} …`;
    const headers = {"Content-Type": "application/json"};
    try {
      const done = await answerOf(`/api/apps/${encodeURIComponent(app)}/${verb}`, {method: "POST", headers, body: JSON.stringify(body)});
      said.textContent = done.said || "done";
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const type = slot.slice(0, slot.lastIndexOf("."));
  const scale = () => {
    const count = Number(prompt(`How many ${type} of ${app}?`) ?? NaN);
    if (Number.isInteger(count) && count >= 0) order("scale", {[type]: count}, `ps-scale ${app} ${type}=${count}?`);
  };
  return [
    element("button", {type: "button", onclick: () => order("restart", {process: slot}, `ps-lifecycle restart ${app} ${slot}?`)}, "Restart"),
    element("button", {type: "button", onclick: () => order("stop", {process: slot}, `ps-lifecycle stop ${app} ${slot}?`)}, "Stop"),
    element("button", {type: "button", onclick: scale}, "Scale"),
  ];
}

apps.addEventListener("click", (event) => {
  const button = event.target.closest(".open");
  if (!button) return;
  const row = button.closest("tr");
  const {app} = row.closest("section").dataset;
  const slot = button.textContent;
  const key = `${app}/${slot}`;
  if (open.has(key)) {
    open.get(key).remove();
    open.delete(key);
  } else {
    open.set(key, detailOf(app, slot));
    row.after(open.get(key));
  }
});

filter.addEventListener("input", () => { for (const section of apps.children) sift(section); });

setInterval(() => {
  if (document.hidden) return;
  for (const shown of apps.querySelectorAll("time[datetime]")) {
    const text = shown.dateTime ? age(shown.dateTime) : "-";
    if (shown.textContent !== text) shown.textContent = text;
  }
}, 5000);

listen(root.dataset.id);
