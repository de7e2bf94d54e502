// One message as a row of the chat: bubble, media, text, time, keyboard.

import { clock, el, icon } from "./dom.js";
import { render } from "./entities.js";

const TICK = "M1.5 7.5l3.4 3.6L11.500 3";
const TICKS = "M1.500 7.500l3.400 3.600L11.500 3M8 9.600l1.500 1.500L16.500 3";
const MUTED = "M8.500 5.200A5.500 5.500 0 0 1 17.500 9.500c0 3 .700 4.600 1.400 5.500M6.500 9.500c0 4-1.500 5.500-2.500 6.500h12M10 19.500a2 2 0 0 0 4 0M4 4l16 16";
const FILE = "M13.500 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8.500zM13.500 3v5.500H19";

/** A row for a message. `act` has: command(text), tap(message, button, node), jump(message_id), reply(message). */
export function row(message, act, unread) {
  const text = message.text ?? message.caption;
  const entities = message.entities ?? message.caption_entities;
  const keyboard = message.reply_markup?.inline_keyboard ?? [];
  const bubble = el(
    "div",
    { class: `bubble${message.edits ? " edited" : ""}${text ? "" : " bare"}`, "data-testid": `message-${message.message_id}` },
    quoted(message.reply_to_message, message.quote, act),
    photo(message),
    file(message.document),
    text ? el("span", { class: "said" }, render(text, entities, act.command)) : null,
    meta(message, unread, act),
  );
  const stack = el("div", { class: keyboard.length ? "stack keys" : "stack" }, bubble, keys(message, keyboard, act));
  return el("div", { class: message.out ? "row out" : "row", "data-testid": "message", "data-id": message.message_id }, stack);
}

function meta(message, unread, act) {
  const edited = message.edits ? "edited " : "";
  const ticks = message.out ? icon(unread ? TICK : TICKS, "0 0 18 14", "ticks") : null;
  const silent = message.silent ? el("span", { title: "Sent without sound", role: "img", ariaLabel: "silent" }, icon(MUTED)) : null;
  const when = new Date(message.date * 1000).toLocaleString();
  const keep = (event) => event.preventDefault(); // what is marked stays marked
  const on = { mousedown: keep, click: () => act.reply(message) };
  const answer = el("button", { type: "button", class: "answer", title: "Reply", ariaLabel: "Reply", on }, "↩");
  return el("span", { class: "meta" }, answer, silent, el("time", { title: when }, edited + clock(message.edit_date ?? message.date)), ticks);
}

function quoted(replied, quote, act) {
  if (!replied) return null;
  const summary = quote?.text ?? summaryOf(replied);
  const jump = () => act.jump(replied.message_id);
  return el("div", { class: "reply", on: { click: jump } }, el("b", {}, replied.from.first_name), el("span", {}, summary));
}

/** A message in a few words. */
export const summaryOf = (message) => message.text ?? message.caption ?? "Photo";

function photo(message) {
  if (!message.photo) return null;
  const largest = message.photo.at(-1);
  return el("img", { class: "media", src: `lab/file/${largest.file_id}`, alt: message.caption ?? "Photo", width: largest.width, height: largest.height });
}

function file(document) {
  if (!document) return null;
  const size = document.file_size < 1024 ? `${document.file_size} B` : `${(document.file_size / 1024).toFixed(1)} kB`;
  return el(
    "a",
    { class: "file", href: `lab/file/${document.file_id}`, download: document.file_name, "data-testid": "document" },
    el("i", {}, icon(FILE)),
    el("span", {}, el("b", {}, document.file_name), el("small", {}, size)),
  );
}

function keys(message, keyboard, act) {
  if (!keyboard.length) return null;
  const button = (spec) => {
    const node = el(
      "button",
      { type: "button", class: [spec.style ?? "", spec.url ? "url" : ""].join(" ").trim(), "data-testid": `button-${spec.text}` },
      spec.text,
    );
    node.addEventListener("click", () => act.tap(message, spec, node));
    return node;
  };
  return el("div", { class: "keyboard" }, keyboard.map((line) => el("div", {}, line.map(button))));
}
