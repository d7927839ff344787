/* The SQL page: Ctrl-Enter runs, a column's name goes where the cursor stands, what was run is remembered in this browser. */
(() => {
  "use strict";

  const KEY = "fuseboard-sql";
  const KEPT = 50;
  const form = document.querySelector("[data-sql]");
  if (!form) return;
  const area = form.querySelector("[data-sql-text]");
  const history = document.querySelector("[data-sql-history]");

  const read = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) || "[]");
      return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
    } catch {
      return [];
    }
  };
  const write = (statements) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(statements.slice(0, KEPT)));
    } catch {
      /* a browser without storage has no history */
    }
  };
  const show = () => {
    const statements = read();
    history.hidden = !statements.length;
    history.querySelector("ol").replaceChildren(...statements.map((each) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "bare mono";
      button.textContent = each.length > 120 ? `${each.slice(0, 120)}…` : each;
      button.addEventListener("click", () => {
        area.value = each;
        area.focus();
      });
      item.append(button);
      return item;
    }));
  };
  const remember = () => {
    const statement = area.value.trim();
    if (statement) write([statement, ...read().filter((each) => each !== statement)]);
  };

  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", remember);
  document.querySelector("[data-sql-forget]").addEventListener("click", () => {
    write([]);
    show();
  });
  for (const button of document.querySelectorAll("[data-sql-insert]")) {
    button.addEventListener("click", () => {
      area.setRangeText(button.dataset.sqlInsert, area.selectionStart, area.selectionEnd, "end");
      area.focus();
    });
  }
  show();
})();
