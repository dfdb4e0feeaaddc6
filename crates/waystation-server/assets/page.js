// What every page has: the switch of colours, keys, the choice of rows, previews, live sections.
import { follow } from "./live.js";
import { showPreviews } from "./preview.js";
import { watchRows } from "./rows.js";

const THEMES = ["system", "light", "dark"];

function switchTheme() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    localStorage.setItem("waystation-theme", next);
  } catch {
    // It lasts as long as the page.
  }
  nameTheme();
}

function nameTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.textContent = `Theme: ${theme}`;
  }
}

/** Acts on a key as its element would on a click. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const field = event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select");
  if (field || document.querySelector("dialog[open]")) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!target || target.disabled) return;
  event.preventDefault();
  if (target.matches("input[type=radio]")) {
    target.checked = true;
    target.focus();
  } else if (target.matches("input, textarea, select")) {
    target.focus();
  } else {
    target.click();
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-switch]")) switchTheme();
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
});
nameTheme();
watchRows();
showPreviews();
const { topic } = document.body.dataset;
if (topic) follow(topic);
