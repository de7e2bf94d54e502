// The chat: state, live updates, composer, roles. Everything shown comes from the lab's `parts`.

import { row, summaryOf } from "./bubbles.js";
import { ask, byTest, el, find, modal, toast } from "./dom.js";
import { showPanel, startPanel } from "./panel.js";

const RETRY = 1500; // milliseconds between two attempts while the lab is away
const GROUP = 300; // seconds within which messages of one side stick together
const GREETINGS = {
  admin: ["What can this bot do?", "It knows this homelab, looks before it speaks, and asks before it changes anything."],
  operator: ["You are an operator", "You may look, and approve changes. Destroying is for admins."],
  viewer: ["You are a viewer", "You may look at everything and change nothing."],
  stranger: ["You are a stranger", "The bot answers nobody it does not know: write what you like, nothing comes back."],
};

let chat = 1001;
let version = 0;
let source = null;
let rolesShown = "";
let people = []; // the roles as last told
let commands = [];
let unread = new Set();
let replying = null; // what the next line answers: reply_to, and a quote where some of it is marked
let messages = new Map(); // message_id → message
let nodes = new Map(); // message_id → row
const seen = new Map(); // chat → newest message the visitor has looked at
const waiting = new Map(); // query_id → button

const scroll = byTest("chat");
const rows = find(".rows");
const composer = byTest("composer");
const toBottom = find(".to-bottom");
const act = { command: (text) => send(text), tap, jump, reply };

// Live updates

function listen() {
  source?.close();
  const mine = new EventSource(`lab/events?chat=${chat}&since=${version}`);
  source = mine;
  mine.onmessage = (event) => mine === source && show(JSON.parse(event.data));
  mine.onerror = () => {
    mine.close();
    if (mine === source) setTimeout(() => mine === source && refetch(mine), RETRY);
  };
}

/** Without a stream: fetch once; when that works, the stream is worth another try. */
async function refetch(mine) {
  const parts = await ask(`state?chat=${chat}&since=${version}`);
  if (mine !== source) return;
  if (parts === null) {
    subtitle("the lab is not running", false);
    setTimeout(() => mine === source && refetch(mine), RETRY);
    return;
  }
  if (parts.version < version) forget(); // another lab answers on this address
  else show(parts);
  listen();
}

function forget() {
  version = 0;
  messages = new Map();
  nodes = new Map();
  waiting.clear();
  rows.replaceChildren();
}

function show(parts) {
  const fresh = version === 0;
  const count = messages.size;
  if (parts.version !== undefined) version = Math.max(parts.version, 1);
  if (parts.chat) showChat(parts.chat);
  if (parts.messages) showMessages(parts.messages, fresh);
  for (const answer of parts.answers ?? []) answered(answer);
  if (parts.roles) showRoles(parts.roles);
  if (parts.suggestions) showSuggestions(parts.suggestions);
  showPanel(parts);
  if (parts.chat || parts.messages) settle(fresh, messages.size - count);
}

function showMessages(changed, fresh) {
  for (const message of changed) {
    const id = message.message_id;
    if (message.deleted) {
      messages.delete(id);
      nodes.get(id)?.remove();
      nodes.delete(id);
      continue;
    }
    const node = row(message, act, unread.has(id));
    if (nodes.has(id)) nodes.get(id).replaceWith(node);
    else {
      if (!fresh) node.classList.add("new");
      rows.append(node);
    }
    messages.set(id, message);
    nodes.set(id, node);
  }
  arrange();
}

/** Tails on the last of a group, and a line above each new day. */
function arrange() {
  for (const day of rows.querySelectorAll(".day")) day.remove();
  let previous = null;
  for (const message of messages.values()) {
    const node = nodes.get(message.message_id);
    const today = new Date(message.date * 1000).toDateString();
    const newDay = !previous || new Date(previous.date * 1000).toDateString() !== today;
    const together = !newDay && previous.out === message.out && message.date - previous.date < GROUP && !previous.reply_markup;
    if (newDay) node.before(el("div", { class: "day" }, dayName(message.date)));
    node.classList.toggle("first", !together);
    if (previous) nodes.get(previous.message_id).classList.toggle("last", !together);
    previous = message;
  }
  if (previous) nodes.get(previous.message_id).classList.add("last");
}

function dayName(seconds) {
  const day = new Date(seconds * 1000);
  if (day.toDateString() === new Date().toDateString()) return "Today";
  return day.toLocaleDateString("en-GB", { day: "numeric", month: "long" });
}

function showChat(state) {
  commands = state.commands;
  const before = unread;
  unread = new Set(state.unread);
  for (const id of before) if (!unread.has(id) && messages.has(id)) redraw(id);
  subtitle(state.action ? "typing" : "bot", Boolean(state.action));
}

function redraw(id) {
  const node = row(messages.get(id), act, unread.has(id));
  for (const name of ["first", "last"]) node.classList.toggle(name, nodes.get(id).classList.contains(name));
  nodes.get(id).replaceWith(node);
  nodes.set(id, node);
}

function subtitle(text, busy) {
  const line = byTest("subtitle");
  line.replaceChildren(text, ...(busy ? [el("span", { class: "dots" })] : []));
  line.classList.toggle("busy", busy);
}

// Scrolling

const atBottom = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
let following = true; // until the visitor scrolls up, and again once back at the bottom
let lastTop = 0;
let missed = 0;

function toEnd(behavior) {
  following = true;
  scroll.scrollTo({ top: scroll.scrollHeight, behavior });
}

function settle(fresh, added) {
  find(".empty").hidden = messages.size > 0;
  if (fresh || following) toEnd(fresh ? "instant" : "smooth");
  else missed += Math.max(0, added);
  marks();
}

function scrolled() {
  if (atBottom()) following = true;
  else if (scroll.scrollTop < lastTop) following = false;
  lastTop = scroll.scrollTop;
  marks();
}

function marks() {
  if (following) missed = 0;
  toBottom.hidden = following;
  toBottom.lastElementChild.textContent = missed || "";
}

function jump(id) {
  nodes.get(id)?.scrollIntoView({ behavior: "smooth", block: "center" });
}

// Taps

async function tap(message, button, node) {
  if (button.url) return modal(`Open this link?\n${button.url}`, el("button", { type: "button" }, "Cancel"), el("a", { href: button.url, target: "_blank", rel: "noopener noreferrer" }, "Open"));
  if (button.copy_text) return navigator.clipboard?.writeText(button.copy_text.text).then(() => toast("Copied"));
  if (!button.callback_data || node.classList.contains("waiting")) return undefined;
  node.classList.add("waiting");
  setTimeout(() => node.classList.remove("waiting"), 15000);
  const answer = await ask("tap", { user: chat, message_id: message.message_id, data: button.callback_data });
  if (!answer) node.classList.remove("waiting");
  else if (waiting.get(answer.query_id) === "answered") node.classList.remove("waiting");
  else waiting.set(answer.query_id, node);
  return undefined;
}

function answered(answer) {
  waiting.get(answer.query_id)?.classList?.remove("waiting");
  waiting.set(answer.query_id, "answered");
  if (!answer.text) return;
  if (answer.show_alert) modal(answer.text);
  else toast(answer.text);
}

// Roles

function showRoles(roles) {
  people = roles;
  const newest = roles.find((person) => person.id === chat)?.newest ?? 0;
  seen.set(chat, newest);
  const buttons = roles.map(({ role, id, newest: last }) => el(
    "button",
    {
      type: "button", role: "radio", ariaChecked: String(id === chat), tabIndex: id === chat ? 0 : -1, "data-testid": `role-${role}`,
      class: last > (seen.get(id) ?? 0) ? "unread" : "", on: { click: () => become(role, id) },
    },
    role[0].toUpperCase() + role.slice(1),
  ));
  const shown = JSON.stringify([chat, roles, [...seen]]);
  if (shown !== rolesShown) {
    const held = find(".roles").contains(document.activeElement);
    find(".roles").replaceChildren(...buttons);
    if (held) find(".roles [aria-checked=true]").focus();
  }
  rolesShown = shown;
}

/** Arrow keys go to the next role, round and round. */
function turned(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = people[(people.findIndex(({ id }) => id === chat) + step + people.length) % people.length];
  become(next.role, next.id);
}

function become(role, id) {
  if (id === chat) return;
  chat = id;
  reply(null);
  rolesShown = "";
  greet(role);
  forget();
  listen();
}

function greet(role) {
  const [title, words] = GREETINGS[role];
  find(".empty h2").textContent = title;
  find(".empty p").textContent = words;
}

// Composer

async function send(text) {
  if (!text.trim()) return;
  closeMenu();
  toEnd("smooth");
  const answers = replying;
  reply(null);
  if ((await ask("send", { user: chat, text, ...answers })) === null) toast("The lab is not running.");
}

/** The next line answers this message, or what is marked of it; null: it answers none. */
function reply(message) {
  const marked = message ? document.getSelection().toString().trim() : "";
  const quote = message && summaryOf(message).includes(marked) ? marked : "";
  replying = message && { reply_to: message.message_id, ...(quote && { quote }) };
  byTest("replying").hidden = !message;
  if (!message) return;
  byTest("replying").querySelector("b").textContent = message.from.first_name;
  byTest("replying").querySelector("span").textContent = quote || summaryOf(message);
  composer.focus();
}

function submit() {
  send(composer.value);
  composer.value = "";
  typed();
}

function typed() {
  byTest("send").disabled = !composer.value.trim();
  composer.style.height = "auto";
  composer.style.height = `${composer.scrollHeight}px`;
  if (/^\/\w*$/.test(composer.value)) openMenu(composer.value.slice(1));
  else closeMenu();
}

function showSuggestions(lines) {
  const chip = (line) => el("button", { type: "button", on: { click: () => send(line) } }, line);
  byTest("chips").replaceChildren(...lines.slice(0, 3).map(chip));
}

// Command menu

function openMenu(start) {
  const matching = commands.filter((entry) => entry.command.startsWith(start.toLowerCase()));
  const choose = (entry) => () => { composer.value = ""; typed(); send(`/${entry.command}`); };
  const option = (entry, index) => el(
    "button",
    { type: "button", role: "option", ariaSelected: String(index === 0), on: { click: choose(entry) } },
    el("b", {}, `/${entry.command}`), el("span", {}, entry.description),
  );
  byTest("commands").replaceChildren(...matching.map(option));
  byTest("commands").hidden = matching.length === 0;
  byTest("menu").setAttribute("aria-expanded", String(matching.length > 0));
}

function closeMenu() {
  byTest("commands").hidden = true;
  byTest("menu").setAttribute("aria-expanded", "false");
}

function selected(step) {
  const options = [...byTest("commands").children];
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const next = (now + step + options.length) % options.length;
  options.forEach((option, index) => option.setAttribute("aria-selected", String(index === next)));
  options[next].scrollIntoView({ block: "nearest" });
  return options[next];
}

function keyed(event) {
  const open = !byTest("commands").hidden;
  if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    selected(event.key === "ArrowDown" ? 1 : -1);
  } else if (open && event.key === "Tab") {
    event.preventDefault();
    composer.value = selected(0).firstElementChild.textContent;
    typed();
  } else if (event.key === "Escape") {
    closeMenu();
    reply(null);
  } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (open) selected(0).click();
    else submit();
  }
}

// Start

find(".roles").addEventListener("keydown", turned);

composer.addEventListener("input", typed);
composer.addEventListener("keydown", keyed);
composer.form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
byTest("menu").addEventListener("click", () => {
  if (!byTest("commands").hidden) return closeMenu();
  if (!commands.length) return toast("The bot has not set its commands yet.");
  composer.focus();
  return openMenu("");
});
byTest("no-reply").addEventListener("click", () => reply(null));
byTest("start").addEventListener("click", () => send("/start"));
byTest("attach").addEventListener("change", async (event) => {
  const photos = [...event.target.files];
  const album = photos.length > 1 ? Date.now() : "";
  for (const [index, photo] of photos.entries()) {
    const caption = index ? "" : encodeURIComponent(composer.value.trim());
    await fetch(`lab/photo?user=${chat}&caption=${caption}&album=${album}`, { method: "POST", body: photo });
  }
  event.target.value = composer.value = "";
  typed();
});
scroll.addEventListener("scroll", scrolled, { passive: true });
new ResizeObserver(() => following && toEnd("instant")).observe(scroll);
rows.addEventListener("load", () => following && toEnd("instant"), true); // a picture has its size now
toBottom.addEventListener("click", () => toEnd("smooth"));
for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    document.body.dataset.view = tab.dataset.view;
    for (const other of document.querySelectorAll(".tabs button")) other.setAttribute("aria-pressed", String(other === tab));
  });
}
greet("admin");
startPanel();
listen();
