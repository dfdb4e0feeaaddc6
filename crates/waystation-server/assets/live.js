// Keeps a page's live sections as they are on the server: when something of its topic changes, the
// sections are asked for again, not more often than people can read, and changed in place.
import { Connection } from "./connection.js";
import { morph } from "./morph.js";

const REFRESH_MS = 1_000;
/** A job's own page is looked at closely. */
const REFRESH_JOB_MS = 400;
/** Ages in words grow old by themselves. */
const REFRESH_ANYWAY_MS = 15_000;
/** The server is not asked for more than a tenth of its time. */
const REST_FACTOR = 10;
const LINES_MAX = 300;

/** Follows a topic, as `job=…`. */
export function follow(topic) {
  const refresh = new Refresh(topic.startsWith("job=") ? REFRESH_JOB_MS : REFRESH_MS);
  const state = document.getElementById("connection");
  new Connection(
    topic,
    (message) => {
      show(message);
      refresh.soon();
    },
    (name) => {
      if (state) state.hidden = false;
      if (state && state.dataset.state !== name) {
        state.dataset.state = name;
        state.textContent = { live: "live", polling: "polling" }[name] ?? name;
      }
    },
  );
}

class Refresh {
  #every;
  #timer = 0;
  #isAsking = false;
  #isDirty = false;
  #last = 0;
  #rest = 0;

  constructor(every) {
    this.#every = every;
    setInterval(() => {
      if (performance.now() - this.#last > REFRESH_ANYWAY_MS) this.soon();
    }, REFRESH_ANYWAY_MS);
  }

  /** Asks for the sections again, a little later; once, however often this is called until then. */
  soon() {
    if (document.hidden) return;
    if (this.#isAsking) this.#isDirty = true;
    if (this.#isAsking || this.#timer) return;
    const due = this.#last + Math.max(this.#every, this.#rest) - performance.now();
    this.#timer = setTimeout(() => this.#now(), Math.max(due, 0));
  }

  async #now() {
    this.#timer = 0;
    this.#isAsking = true;
    this.#isDirty = false;
    const began = performance.now();
    try {
      await ask();
    } catch {
      // The next message, or the next connection, asks again.
    }
    this.#last = performance.now();
    this.#rest = (this.#last - began) * REST_FACTOR;
    this.#isAsking = false;
    if (this.#isDirty) this.soon();
  }
}

async function ask() {
  const sections = [...document.querySelectorAll("[data-live]")];
  if (!sections.length) return;
  const ids = sections.map((section) => section.id);
  const answer = await fetch(location.href, {
    headers: { "x-waystation-fragment": ids.join(",") },
    cache: "no-store",
    signal: AbortSignal.timeout(20_000),
  });
  if (answer.redirected || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const lines = storedLines();
  let isAnother = false;
  for (const section of sections) {
    const next = fresh.getElementById(section.id);
    if (next) morph(section, next);
    else isAnother = true;
  }
  if (storedLines() !== lines) document.querySelector("[data-log-fresh]")?.replaceChildren();
  document.dispatchEvent(new CustomEvent("waystation:fresh"));
  // It has other parts now, as when the first task comes to an empty inbox.
  if (isAnother) location.reload();
}

function storedLines() {
  return document.querySelector("[data-log]")?.dataset.log;
}

/** Shows what a message itself brings. */
function show({ type, progress, log }) {
  if (type !== "delta") return;
  if (progress) showProgress(progress);
  if (log?.length) showLog(log);
}

function showProgress({ percent, message }) {
  const place = document.querySelector("[data-progress]");
  if (!place) return;
  place.hidden = false;
  place.querySelector("progress").value = percent;
  place.querySelector("[data-progress-percent]").textContent = `${Math.round(percent)} %`;
  place.querySelector("[data-progress-message]").textContent = message;
}

function showLog(lines) {
  const list = document.querySelector("[data-log-fresh]");
  if (!list) return;
  const now = new Date().toISOString().slice(11, 23);
  for (const { stage, level, line } of lines) {
    const item = document.createElement("li");
    item.className = level;
    for (const [name, text] of [["clock", now], ["stage", stage], ["line", line]]) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = text;
      item.append(part);
    }
    list.append(item);
  }
  while (list.childElementCount > LINES_MAX) list.firstElementChild.remove();
}
