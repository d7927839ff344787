/* Folding in a waterfall: a button hides the rows below its own that stand deeper. Without it every row stays visible. */
(() => {
  "use strict";

  const depth = (row) => Number(row.dataset.depth);
  const below = (row) => {
    const found = [];
    for (let next = row.nextElementSibling; next && depth(next) > depth(row); next = next.nextElementSibling) found.push(next);
    return found;
  };
  const fold = (button, closed) => {
    const row = button.closest("li");
    button.setAttribute("aria-expanded", String(!closed));
    let until = Infinity; // rows deeper than this stay hidden: they stand under one that is folded itself
    for (const each of below(row)) {
      const hiddenAlready = depth(each) > until;
      if (!hiddenAlready) until = Infinity;
      each.hidden = closed || hiddenAlready;
      const own = each.querySelector("[data-fold]");
      if (!hiddenAlready && own && own.getAttribute("aria-expanded") === "false") until = depth(each);
    }
  };
  const show = (target) => {
    const row = target && target.closest("li[data-depth]");
    if (!row || !row.hidden) return;
    for (const button of document.querySelectorAll("[data-fold][aria-expanded='false']")) fold(button, false);
  };
  document.querySelectorAll("[data-fold]").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-fold]");
    if (button) fold(button, button.getAttribute("aria-expanded") === "true");
  });
  window.addEventListener("hashchange", () => show(document.getElementById(decodeURIComponent(location.hash.slice(1)))));
})();
