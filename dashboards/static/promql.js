/*
 * Completion of PromQL: metrics, functions, labels and their values, as the cursor stands. Arrows choose, Enter or Tab takes,
 * Esc closes; Ctrl-Enter (or Enter with nothing to choose) draws. Without this script queries are typed whole.
 */
(() => {
  "use strict";

  const SHOWN = 12;
  const FUNCTIONS = ["abs", "absent", "absent_over_time", "avg", "avg_over_time", "bottomk", "ceil", "changes", "clamp", "clamp_max", "clamp_min", "count", "count_over_time", "count_values", "delta", "deriv", "exp", "floor", "group", "histogram_quantile", "idelta", "increase", "irate", "label_join", "label_replace", "last_over_time", "ln", "log10", "log2", "max", "max_over_time", "min", "min_over_time", "predict_linear", "present_over_time", "quantile", "quantile_over_time", "rate", "resets", "round", "scalar", "sort", "sort_desc", "sqrt", "stddev", "stddev_over_time", "sum", "sum_over_time", "time", "timestamp", "topk", "vector"];
  const form = document.querySelector("[data-promql]");
  if (!form) return;
  const asked = new Map();
  const list = document.createElement("ul");
  list.className = "completions";
  list.id = "promql-completions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What may be written here");
  list.hidden = true;
  let input = null;
  let place = null;
  let current = -1;

  const ask = async (parameters) => {
    const address = `${form.dataset.complete}&${new URLSearchParams(parameters)}`;
    if (!asked.has(address)) {
      asked.set(address, fetch(address).then((answer) => (answer.ok ? answer.json() : { found: [] })).then((answer) => answer.found).catch(() => []));
    }
    return asked.get(address);
  };

  /* where the cursor stands: inside of {…}, behind by ( …, in a label's value, or anywhere else */
  const standing = (text) => {
    const open = text.lastIndexOf("{");
    if (open > text.lastIndexOf("}")) {
      const inside = text.slice(open + 1);
      const metric = (/([A-Za-z_:][\w:]*)\s*$/.exec(text.slice(0, open)) || [])[1] || "";
      const value = /(?:^|,)\s*([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(inside);
      if (value) return { kind: "values", metric, label: value[1], word: value[2] };
      const label = /(?:^|,)\s*([A-Za-z_]?\w*)$/.exec(inside);
      return label ? { kind: "labels", metric, word: label[1] } : null;
    }
    const grouped = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)$/.exec(text);
    if (grouped) {
      const metric = (/\(\s*(?:\w+\s*\(\s*)*([A-Za-z_:][\w:]*)/.exec(text.slice(text.lastIndexOf(")") + 1)) || [])[1] || "";
      return { kind: "labels", metric: FUNCTIONS.includes(metric) ? "" : metric, word: /(\w*)$/.exec(grouped[1])[1] };
    }
    if (/"[^"]*$/.test(text.replace(/"[^"]*"/g, ""))) return null;
    const word = /([A-Za-z_:][\w:]*)$/.exec(text);
    return word ? { kind: "names", word: word[1] } : null;
  };
  const candidates = async (at) => {
    if (at.kind === "values") return ask({ of: "values", metric: at.metric, label: at.label });
    if (at.kind === "labels") return (await ask({ of: "labels", metric: at.metric })).filter((each) => each.label !== "__name__");
    const functions = FUNCTIONS.map((label) => ({ label, about: "function", after: "(" }));
    return [...(await ask({ of: "names" })), ...functions];
  };
  const fitting = (all, word) => {
    const wanted = word.toLowerCase();
    const found = all.filter((each) => each.label.toLowerCase().includes(wanted) && each.label !== word);
    return found.sort((a, b) => b.label.toLowerCase().startsWith(wanted) - a.label.toLowerCase().startsWith(wanted)).slice(0, SHOWN);
  };

  const close = () => {
    list.hidden = true;
    current = -1;
    if (input) {
      input.removeAttribute("aria-activedescendant");
    }
  };
  const choose = (index) => {
    const all = [...list.children];
    all.forEach((each) => each.setAttribute("aria-selected", "false"));
    current = all.length ? (index + all.length) % all.length : -1;
    if (current < 0) return;
    all[current].setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", all[current].id);
    all[current].scrollIntoView({ block: "nearest" });
  };
  const take = (index) => {
    const option = list.children[index];
    if (!option || !place) return;
    const cursor = input.selectionStart;
    const before = input.value.slice(0, cursor - place.word.length) + option.dataset.label + (option.dataset.after || "");
    input.value = before + input.value.slice(cursor);
    input.setSelectionRange(before.length, before.length);
    close();
    grow(input);
    input.focus();
  };
  const show = async () => {
    const cursor = input.selectionStart;
    const at = standing(input.value.slice(0, cursor));
    if (!at || (at.kind === "names" && at.word.length < 1)) return close();
    const from = input;
    const found = fitting(await candidates(at), at.word);
    if (from !== input || input.selectionStart !== cursor || document.activeElement !== input) return undefined;
    place = at;
    if (!found.length) return close();
    list.replaceChildren(...found.map((each, index) => {
      const item = document.createElement("li");
      item.id = `completion-${index}`;
      item.setAttribute("role", "option");
      item.dataset.label = each.label;
      if (each.after) item.dataset.after = each.after;
      const about = document.createElement("span");
      about.className = "dim";
      about.textContent = each.about || "";
      item.append(each.label, " ", about);
      item.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(index);
      });
      return item;
    }));
    input.closest(".query-line").append(list);
    list.hidden = false;
    return choose(0);
  };
  const grow = (area) => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };

  for (const area of form.querySelectorAll("[data-promql-input]")) {
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-controls", list.id);
    grow(area);
    area.addEventListener("focus", () => { input = area; });
    area.addEventListener("blur", close);
    area.addEventListener("input", () => {
      input = area;
      grow(area);
      show();
    });
    area.addEventListener("keydown", (event) => {
      const open = !list.hidden;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey || (!open && !event.shiftKey))) {
        event.preventDefault();
        form.requestSubmit();
      } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        event.preventDefault();
        choose(current + (event.key === "ArrowDown" ? 1 : -1));
      } else if (open && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
        event.preventDefault();
        take(current);
      } else if (open && event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        close();
      } else if (event.key === " " && event.ctrlKey) {
        event.preventDefault();
        show();
      }
    });
  }
  form.append(list);
})();
