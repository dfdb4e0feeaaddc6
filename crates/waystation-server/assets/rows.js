// Rows of a table that are chosen together.

/** Keeps the box of all rows, and the words of how many are chosen, as the rows are. */
export function watchRows() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-select]");
    if (!form) return;
    if (event.target.matches("[data-select-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    tell(form);
  });
  // Rows may have come or gone.
  document.addEventListener("waystation:fresh", tellAll);
  tellAll();
}

function tellAll() {
  document.querySelectorAll("form[data-select]").forEach(tell);
}

function boxes(form) {
  return [...form.querySelectorAll("tbody input[type=checkbox]")];
}

function tell(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked).length;
  const whole = form.querySelector("[data-select-all]");
  if (whole) {
    whole.checked = chosen > 0 && chosen === all.length;
    whole.indeterminate = chosen > 0 && chosen < all.length;
  }
  const words = form.querySelector("[data-select-count]");
  if (words) words.textContent = chosen ? `With ${chosen} chosen:` : "With the chosen:";
  for (const button of form.querySelectorAll("[data-select-act]")) button.disabled = chosen === 0;
}
