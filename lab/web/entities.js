// A text with Telegram entities as DOM nodes. Offsets are UTF-16 units, which is what JavaScript strings count in.

import { el, modal, toast } from "./dom.js";

const INLINE = { bold: "b", italic: "i", underline: "u", strikethrough: "s" };
const COLLAPSED_LINES = 3;
const LINE_WIDTH = 42;

/** Nodes of `text`; `onCommand` is called with a bot command that was pressed. */
export function render(text, entities, onCommand) {
  const sorted = [...(entities ?? [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return nest(text, 0, text.length, sorted, onCommand);
}

function nest(text, start, end, entities, onCommand) {
  const nodes = [];
  let at = start;
  let rest = entities;
  while (rest.length) {
    const [entity, ...later] = rest;
    const from = Math.max(entity.offset, at);
    const to = Math.min(entity.offset + entity.length, end);
    if (from >= to) {
      rest = later;
      continue;
    }
    if (from > at) nodes.push(text.slice(at, from));
    const inside = later.filter((other) => other.offset < to);
    nodes.push(wrap(entity, text.slice(from, to), nest(text, from, to, inside, onCommand), onCommand));
    at = to;
    rest = later.filter((other) => other.offset + other.length > to);
    if (isBlock(entity) && text[at] === "\n") at += 1;
  }
  if (at < end) nodes.push(text.slice(at, end));
  return nodes;
}

const isBlock = (entity) => ["pre", "blockquote", "expandable_blockquote"].includes(entity.type);

function wrap(entity, text, children, onCommand) {
  switch (entity.type) {
    case "pre": return codeBlock(text, entity.language);
    case "code": return el("code", { title: "Copy", on: { click: () => copy(text) } }, text);
    case "blockquote": return el("div", { class: "quote" }, el("div", { class: "body" }, children));
    case "expandable_blockquote": return expandable(text, children);
    case "spoiler": return spoiler(children);
    case "text_link": return link(entity.url, children);
    case "url": return link(text, children);
    case "bot_command":
      return el("a", { role: "button", tabIndex: 0, class: "command", on: pressed(() => onCommand(text)) }, children);
    default: return INLINE[entity.type] ? el(INLINE[entity.type], {}, children) : el("span", {}, children);
  }
}

function codeBlock(text, language) {
  const button = el("button", { type: "button", class: language ? "copy" : "copy float", on: { click: () => copy(text) } }, "Copy");
  const pre = el("pre", { tabIndex: 0 }, text);
  return el("div", { class: "block" }, language ? el("header", {}, el("span", {}, language), button) : button, pre);
}

function expandable(text, children) {
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / LINE_WIDTH)), 0);
  const body = el("div", { class: "body" }, children);
  if (lines <= COLLAPSED_LINES) return el("div", { class: "quote" }, body);
  const quote = el("div", { class: "quote more", role: "button", tabIndex: 0, ariaExpanded: "false" }, body);
  const toggle = () => quote.setAttribute("aria-expanded", String(quote.classList.toggle("open")));
  for (const [event, handler] of Object.entries(pressed(toggle))) quote.addEventListener(event, handler);
  return quote;
}

function spoiler(children) {
  const node = el("span", { class: "spoiler", role: "button", tabIndex: 0, ariaLabel: "Spoiler" }, children);
  const open = () => { node.classList.add("open"); node.removeAttribute("aria-label"); };
  for (const [event, handler] of Object.entries(pressed(open))) node.addEventListener(event, handler);
  return node;
}

function link(url, children) {
  const safe = /^(https?|tg|mailto):/i.test(url);
  const asked = (event) => {
    event.preventDefault();
    const go = el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, "Open");
    modal(`Open this link?\n${url}`, el("button", { type: "button" }, "Cancel"), ...(safe ? [go] : []));
  };
  return el("a", { href: safe ? url : null, title: url, on: { click: asked } }, children);
}

async function copy(text) {
  await navigator.clipboard?.writeText(text);
  toast("Copied");
}

/** Handlers that make an element act on a click, Enter and Space alike. */
function pressed(act) {
  return {
    click: (event) => {
      const inner = event.target.closest("a, button, code, .spoiler:not(.open)");
      if (!inner || inner === event.currentTarget) act();
    },
    keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); } },
  };
}
