// Small helpers; content only ever becomes text nodes and attributes, never markup.

/** An element with properties, data attributes and children (nodes or text; null is skipped). */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of one path. */
export function icon(path, box = "0 0 24 24", name = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("aria-hidden", "true");
  if (name) svg.setAttribute("class", name);
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export const find = (selector) => document.querySelector(selector);
export const byTest = (id) => document.querySelector(`[data-testid="${id}"]`);

/** The time of day of a Unix time, on this machine's clock. */
export function clock(seconds, withSeconds = false) {
  const parts = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (withSeconds) parts.second = "2-digit";
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", parts);
}

/** Ask the lab for something; its JSON answer, or null when it is away or refuses. */
export async function ask(path, fields) {
  try {
    const answer = await fetch(`lab/${path}`, fields === undefined ? {} : { method: "POST", body: JSON.stringify(fields) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** A line that floats over the chat for a moment. */
export function toast(text) {
  const node = el("div", { class: "toast" }, text);
  const others = byTest("toasts").children;
  if (others.length > 1) others[0].remove();
  byTest("toasts").append(node);
  setTimeout(() => node.remove(), 2500 + 40 * text.length);
}

/** A question or a notice in the middle; `actions` are elements that close it when pressed. */
export function modal(text, ...actions) {
  const dialog = byTest("modal");
  find("#modal-text").textContent = text;
  const buttons = actions.length ? actions : [el("button", { type: "button" }, "OK")];
  for (const button of buttons) button.addEventListener("click", () => dialog.close());
  find(".modal-buttons").replaceChildren(...buttons);
  dialog.showModal();
}
