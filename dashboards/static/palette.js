/*
 * The command palette: "/" or Ctrl-K, a few letters, Enter. What can be found comes from /find once, when it is first
 * opened; letters only hide what does not match. Without this script the box in the header leads to the page /find.
 */
(() => {
  "use strict";

  const SHOWN = 60;
  const TRACE = /^[0-9a-f]{16}([0-9a-f]{16})?$/i;
  const dialog = document.querySelector("[data-palette]");
  if (!dialog || !dialog.showModal) return;
  const input = dialog.querySelector("[data-palette-input]");
  const list = dialog.querySelector("[data-palette-list]");
  const said = dialog.querySelector("[data-palette-said]");
  const box = document.querySelector("[data-palette-open]");
  let candidates = null;
  let asked = null;
  let current = -1;

  const own = (kind, label, address) => {
    const item = document.createElement("li");
    item.setAttribute("role", "presentation");
    const link = document.createElement("a");
    link.className = "option";
    link.setAttribute("role", "option");
    link.tabIndex = -1;
    link.href = address;
    link.innerHTML = '<span class="kind"></span> <span class="label"></span>';
    link.firstChild.textContent = kind;
    link.lastChild.textContent = label;
    item.append(link);
    return item;
  };
  const logs = (query) => {
    const address = new URL(dialog.dataset.logs, location.href);
    address.searchParams.set("query", query);
    return own("logs", `search for ${query}`, address.href);
  };
  const trace = (id) => {
    const address = new URL(dialog.dataset.traces, location.href);
    address.pathname += `/${id.toLowerCase()}`;
    return own("trace", id.toLowerCase(), address.href);
  };

  const options = () => [...list.querySelectorAll("[role=option]")];
  const choose = (index) => {
    const all = options();
    all.forEach((each) => each.setAttribute("aria-selected", "false"));
    current = all.length ? (index + all.length) % all.length : -1;
    if (current < 0) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    all[current].setAttribute("aria-selected", "true");
    all[current].id ||= `option-${current}`;
    input.setAttribute("aria-activedescendant", all[current].id);
    all[current].scrollIntoView({ block: "nearest" });
  };

  const rank = (item, words) => {
    const label = item.querySelector(".label");
    if (!label) return 2;
    const text = label.textContent.toLowerCase();
    return words[0] && text.startsWith(words[0]) ? 0 : 1;
  };
  const show = () => {
    const query = input.value.trim();
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = (candidates || [])
      .filter((item) => words.every((word) => item.textContent.toLowerCase().includes(word)) || item.matches(".palette-problem"));
    matching.sort((one, other) => rank(one, words) - rank(other, words));
    const found = matching.slice(0, SHOWN).map((item) => item.cloneNode(true));
    if (TRACE.test(query)) found.unshift(trace(query));
    if (query) found.push(logs(query));
    found.forEach((item, index) => {
      const option = item.querySelector("[role=option]");
      if (option) option.id = `option-${index}`;
    });
    list.replaceChildren(...found);
    choose(0);
    said.textContent = candidates ? `${matching.length} found.` : "Loading…";
  };

  const load = async () => {
    if (asked) return;
    asked = fetch(dialog.dataset.url, { headers: { "HX-Request": "true" } });
    try {
      const answer = await asked;
      const holder = document.createElement("template");
      holder.innerHTML = await answer.text();
      if (!answer.ok) throw new Error(String(answer.status));
      candidates = [...holder.content.querySelectorAll("li")];
    } catch {
      candidates = [];
      asked = null; // the next opening tries again
      show();
      said.textContent = "The list could not be loaded; a trace id or a log search still works.";
      return;
    }
    show();
  };
  const open = (text = "") => {
    if (dialog.open) return;
    dialog.showModal();
    input.value = text;
    show();
    input.select();
    load();
  };

  const typing = (element) => element && element.matches("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target);
    const k = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (!slash && !k) return;
    event.preventDefault();
    open();
  });
  if (box) {
    box.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      open(box.value);
    });
  }
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      choose(current + step);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = options()[current];
      if (chosen) chosen.click();
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[role=option]")) dialog.close();
  });
})();
