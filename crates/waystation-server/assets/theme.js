// Runs before the page is drawn, so that it is drawn in the chosen colours at once.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("waystation-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // Without storage the system's colours are taken.
  }
})();
