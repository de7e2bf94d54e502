// The lab beside the chat: the bot's process, the engines, the requests, and three ways to make trouble.

import { ask, byTest, clock, el, find, toast } from "./dom.js";

const before = new Map(); // container key → what its row said
let containers = [];
let services = [];

/** Show the parts of an update that concern the panel. */
export function showPanel(parts) {
  if ("bot" in parts) showBot(parts.bot);
  if ("claude" in parts) showClaude(parts.claude);
  if ("engine" in parts) containers = parts.engine;
  if ("services" in parts) services = parts.services;
  if ("engine" in parts || "services" in parts) showThings();
  if ("requests" in parts) showRequests(parts.requests);
}

export function startPanel() {
  byTest("kill").addEventListener("click", async () => {
    const answer = await ask("kill", {});
    toast(answer?.killed ? "Killed with −9. It is coming back." : "No bot is running.");
  });
  byTest("drift").addEventListener("click", async () => {
    const answer = await ask("drift", {});
    if (answer) toast(answer.said);
  });
  byTest("cut").addEventListener("click", async () => {
    const answer = await ask("cut", {});
    if (answer) toast(answer.cut ? "Claude is cut off." : "Claude is back.");
  });
}

function showBot(bot) {
  const pill = byTest("bot");
  const log = byTest("bot-log");
  byTest("kill").disabled = !bot || bot.state !== "running";
  pill.dataset.state = bot?.state ?? "none";
  const words = {
    running: () => `running · pid ${bot.pid}${bot.starts > 1 ? ` · start ${bot.starts}` : ""}`,
    restarting: () => "restarting…",
    "configuration error": () => "configuration error",
    stopped: () => "stopped",
  };
  pill.lastElementChild.textContent = bot ? words[bot.state]() : "no bot under supervision";
  log.hidden = !bot || bot.state !== "configuration error" || !bot.log.length;
  log.textContent = bot?.log.join("\n") ?? "";
}

function showClaude(claude) {
  find(".brain").textContent = claude.real ? "real Claude" : "Claude: scripted stand-in";
  const button = byTest("cut");
  button.disabled = claude.real;
  button.setAttribute("aria-pressed", String(claude.cut));
  button.querySelector("b").textContent = claude.cut ? "Reconnect Claude" : "Cut Claude";
}

function showThings() {
  const hosts = Map.groupBy ? Map.groupBy(containers, (row) => row.host) : grouped(containers);
  const first = before.size === 0;
  const sections = [...hosts].map(([host, own]) => {
    const running = own.filter((row) => row.state === "running").length;
    return el(
      "div",
      { class: "host", "data-testid": `host-${host}` },
      el("h3", {}, host, el("small", {}, `${running} of ${own.length} running`)),
      el("table", {}, el("tbody", {}, own.map((row) => containerRow(row, first)))),
    );
  });
  const others = services.filter((service) => service.rows.length).map((service) =>
    el(
      "div",
      { class: "host", "data-testid": `service-${service.name}` },
      el("h3", {}, service.name),
      el("table", {}, el("tbody", {}, service.rows.map((row) => serviceRow(service.name, row, first)))),
    ),
  );
  byTest("engine").replaceChildren(...sections, ...others);
}

function serviceRow(service, row, first) {
  return thingRow(`${service}/${row.name}`, [row.state, row.detail].join(), first, {
    name: row.name, title: row.name, dot: row.dot, state: row.state, status: `${row.state} · ${row.detail}`,
  });
}

function containerRow(row, first) {
  return thingRow(`${row.host}/${row.id}`, [row.state, row.restarts, row.health, row.name, row.image].join(), first, {
    ...row, title: `${row.name} · ${row.image} · ${row.id}`, dot: mood(row), kind: "container",
  });
}

function thingRow(key, said, first, { name, title, dot, state, status, restarts = 0, kind = "thing" }) {
  const flash = !first && before.get(key) !== said;
  before.set(key, said);
  return el(
    "tr",
    { class: flash ? "flash" : "", "data-testid": `${kind}-${name}`, "data-state": state },
    el("td", {}, el("span", { class: `dot ${dot}`, title: state })),
    el("td", { title }, el("b", {}, name)),
    el("td", { class: "status", title: status }, status),
    el("td", { class: restarts > 3 ? "many" : "", title: "restarts" }, restarts ? `↻ ${restarts}` : ""),
  );
}

function mood(row) {
  if (row.state === "running") return row.health === "unhealthy" ? "bad" : row.health === "starting" ? "odd" : "good";
  return row.state === "restarting" || row.state === "dead" ? "bad" : row.state === "paused" ? "odd" : "off";
}

function grouped(rows) {
  const hosts = new Map();
  for (const row of rows) hosts.set(row.host, [...(hosts.get(row.host) ?? []), row]);
  return hosts;
}

function showRequests(requests) {
  byTest("log").replaceChildren(...requests.toReversed().map(requestRow));
}

function requestRow(request) {
  const state = request.status === null || request.status === 499 ? "open" : request.status < 400 ? "" : "error";
  return el(
    "li",
    { class: request.changes ? "changes" : "" },
    el("time", {}, clock(request.at, true)),
    el("span", { class: "service" }, request.service),
    el("span", {}, request.method),
    el("span", { title: request.path }, request.path),
    el("span", { class: `status ${state}` }, request.status === null ? "…" : String(request.status)),
  );
}
