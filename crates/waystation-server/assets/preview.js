// Shows what params refer to: texts, JSON and tables; and takes away pictures that cannot be had.

const BYTES_MAX = 64 * 1024;
const ROWS_MAX = 50;

/** Shows everything that the page refers to. */
export function showPreviews() {
  for (const place of document.querySelectorAll("[data-preview]")) {
    showOne(place).catch(() => refuse(place));
  }
  for (const picture of document.querySelectorAll(".preview img, .corners img")) {
    const check = () => {
      if (!picture.naturalWidth) refuse(picture.closest("figure"));
    };
    if (picture.complete) check();
    else picture.addEventListener("error", check, { once: true });
  }
}

function refuse(place) {
  const words = document.createElement("p");
  words.className = "faint";
  words.textContent = "cannot be shown here";
  place.classList.add("refused");
  place.append(words);
}

async function showOne(place) {
  const { preview: kind, from } = place.dataset;
  const answer = await fetch(from, { signal: AbortSignal.timeout(20_000) });
  if (!answer.ok) throw new Error(String(answer.status));
  const text = await start(answer);
  if (kind === "table") place.append(table(text, from.toLowerCase().endsWith("tsv") ? "\t" : ","));
  else place.append(block(kind === "json" ? indented(text) : text));
}

/** The first bytes as a text: the rest is not even read. */
async function start(answer) {
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; bytes < BYTES_MAX; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    text += decoder.decode(value, { stream: true });
  }
  reader.cancel();
  return `${text.slice(0, BYTES_MAX)}\n…`;
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function block(text) {
  const block = document.createElement("pre");
  block.className = "json";
  block.tabIndex = 0;
  block.textContent = text;
  return block;
}

function table(text, separator) {
  const table = document.createElement("table");
  for (const [index, cells] of rows(text, separator).slice(0, ROWS_MAX).entries()) {
    const row = table.insertRow();
    for (const cell of cells) {
      const place = document.createElement(index ? "td" : "th");
      place.textContent = cell;
      row.append(place);
    }
  }
  return table;
}

/** The cells of a text with separators; quoted ones may hold separators and ends of lines. */
function rows(text, separator) {
  const rows = [[""]];
  let isQuoted = false;
  for (let place = 0; place < text.length; place += 1) {
    const row = rows.at(-1);
    const letter = text[place];
    if (letter === '"') {
      if (isQuoted && text[place + 1] === '"') {
        row[row.length - 1] += letter;
        place += 1;
      } else isQuoted = !isQuoted;
    } else if (!isQuoted && letter === separator) row.push("");
    else if (!isQuoted && letter === "\n") rows.push([""]);
    else if (isQuoted || letter !== "\r") row[row.length - 1] += letter;
  }
  return rows.filter((row) => row.some((cell) => cell));
}
