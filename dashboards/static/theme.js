/* Runs before the first paint: says that scripts run, and applies the theme this person chose. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("fuseboard-theme");
    if (localStorage.getItem("fuseboard-tour") === "hidden") root.classList.add("no-tour");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch { /* storage may be forbidden: the system's theme it is */ }
})();
