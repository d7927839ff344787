/*
 * The live tail of the Logs page: records appear above the page's own, newest first, as they are stored.
 * Scrolled down, or with details open, nothing moves: what arrives waits behind a button that says how much.
 * A connection that breaks comes back behind the last record seen: the browser sends its id, or we do where it has given up.
 */
(() => {
  "use strict";

  const SHOWN_MOST = 300;
  const WAITING_MOST = 1000;
  const SCROLLED_PX = 160;
  const AGAIN_MS = 3000;
  const KNOWN_MOST = 20_000;
  const SEVERITIES = ["trace", "debug", "info", "warn", "error", "fatal"];
  const place = document.querySelector("[data-tail]");
  const toggle = document.querySelector("[data-tail-toggle]");
  if (!place || !toggle || !window.EventSource) return;

  const list = place.querySelector("[data-tail-rows]");
  const status = place.querySelector("[data-tail-status]");
  const resume = place.querySelector("[data-tail-resume]");
  const template = place.querySelector("[data-tail-row]");
  const known = new Set([...document.querySelectorAll("[data-testid=log-row]")].map((row) => row.dataset.id));
  let source = null;
  let wanted = false; // a person wants it, connected or not
  let again = 0;
  let lastId = "";
  let waiting = [];
  let left = 0; // records the server or we left out
  let held = false; // a person scrolled away or reads
  let word = "";
  let drawing = 0;

  const say = (text, state) => {
    word = text;
    place.dataset.state = state;
    show();
  };
  const show = () => {
    const lost = left ? ` · ${left.toLocaleString("en")} left out, there were too many` : "";
    const quiet = word === "live" && !list.children.length && !waiting.length ? ": nothing new yet" : "";
    const text = `${word}${quiet}${waiting.length && held ? ", held while you read" : ""}${lost}`;
    if (status.textContent !== text) status.textContent = text;
    resume.hidden = !waiting.length;
    resume.textContent = `${waiting.length.toLocaleString("en")} new ↑`;
  };
  const reading = () =>
    window.scrollY > SCROLLED_PX || list.querySelector("details[open]") || (String(getSelection()) && place.contains(getSelection().anchorNode));

  const link = (anchor, path, asked, hash = "") => {
    const here = new URLSearchParams(location.search);
    const all = new URLSearchParams();
    for (const name of ["start", "end", "env"]) if (here.get(name)) all.set(name, here.get(name));
    for (const [name, value] of Object.entries(asked)) all.set(name, value);
    anchor.href = `${path}?${all}${hash}`;
  };
  const pair = (fields, name, value) => {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    const code = document.createElement("code");
    term.textContent = name;
    code.className = "verbatim";
    code.textContent = value;
    text.append(code);
    fields.append(term, text);
  };
  const drawn = (record) => {
    const row = template.content.firstElementChild.cloneNode(true);
    const part = (selector) => row.querySelector(selector);
    const slug = SEVERITIES.includes(record.severity) ? record.severity : "other";
    row.classList.add(`v-${slug}`);
    row.dataset.id = record.id;
    part("time").dateTime = part("time").title = record.occurred_at;
    part("time").textContent = record.occurred_at.slice(11, 23);
    part(".sev").classList.add(`v-${slug}`);
    part(".sev").textContent = record.severity || "none";
    part(".log-service").textContent = record.service || "no service";
    if (record.service) link(part(".log-service"), `/services/${encodeURIComponent(record.service)}`, {});
    part(".log-body").textContent = record.body;
    const attributes = Object.entries(record.attributes).sort();
    part(".log-preview").textContent = attributes.map(([name, value]) => `${name}=${value}`).join("  ").slice(0, 160);
    const span = record.span_id ? `#span-${encodeURIComponent(record.span_id)}` : "";
    if (record.trace_id) link(part("[data-step=trace]"), `/traces/${encodeURIComponent(record.trace_id)}`, {}, span);
    else part("[data-step=trace]").remove();
    link(part("[data-step=context]"), "/logs/context", { id: record.id }, "#marked");
    const resource = Object.entries(record.resource).sort();
    part("[data-count]").textContent = attributes.length + resource.length;
    const fields = part(".pairs");
    pair(fields, "occurred_at", record.occurred_at);
    for (const name of ["env", "trace_id", "span_id"]) if (record[name]) pair(fields, name, record[name]);
    for (const [name, value] of [...attributes, ...resource]) pair(fields, name, value);
    return row;
  };

  const draw = () => {
    drawing = 0;
    held = Boolean(reading());
    place.toggleAttribute("data-held", held);
    if (!held && waiting.length) {
      const rows = document.createDocumentFragment();
      for (const record of waiting.slice(-SHOWN_MOST).reverse()) rows.append(drawn(record));
      waiting = [];
      list.prepend(rows);
      while (list.children.length > SHOWN_MOST) list.lastElementChild.remove();
    }
    show();
  };
  const soon = () => { if (!drawing) drawing = requestAnimationFrame(draw); };

  const take = (event) => {
    const record = JSON.parse(event.data);
    lastId = event.lastEventId;
    if (known.has(record.id)) return;
    if (known.size > KNOWN_MOST) known.clear();
    known.add(record.id);
    waiting.push(record);
    if (waiting.length > WAITING_MOST) {
      waiting.shift();
      left += 1;
    }
    soon();
  };

  const address = () => {
    const asked = new URL(place.dataset.tail, location.href);
    if (lastId) asked.searchParams.set("cursor", lastId);
    return asked;
  };
  // Browsers give up on any answer but 200. What may be over soon is asked again, behind the last record seen; the rest is said.
  const explain = () => {
    const asked = new AbortController();
    fetch(address(), { signal: asked.signal })
      .then(async (answer) => {
        const said = answer.ok ? "" : (await answer.json()).error.message;
        asked.abort();
        if (answer.ok || answer.status >= 500 || answer.status === 429) later(said);
        else {
          close();
          say(`The live tail stopped: ${said}`, "failed");
        }
      })
      .catch(() => { if (!asked.signal.aborted) later("the collector cannot be reached"); });
  };
  const later = (why) => {
    if (!wanted) return;
    say(`reconnecting${why ? `: ${why}` : ""}`, "waiting");
    again = setTimeout(open, AGAIN_MS);
  };

  const open = () => {
    source = new EventSource(address());
    source.onopen = () => say("live", "live");
    source.onmessage = take;
    source.addEventListener("skipped", (event) => { left += JSON.parse(event.data).records; soon(); });
    source.addEventListener("waiting", () => say("live, but the engine is away; nothing is lost", "waiting"));
    source.addEventListener("problem", (event) => {
      close();
      say(`The live tail stopped: ${JSON.parse(event.data).message}`, "failed");
    });
    source.onerror = () => {
      if (!wanted) return;
      say("reconnecting", "waiting");
      if (source.readyState === EventSource.CLOSED) explain();
    };
  };
  const start = () => {
    wanted = true;
    place.hidden = false;
    toggle.setAttribute("aria-pressed", "true");
    say("connecting", "waiting");
    open();
    remember("1");
  };
  const close = () => {
    wanted = false;
    clearTimeout(again);
    if (source) source.close();
    toggle.setAttribute("aria-pressed", "false");
  };
  const stop = () => {
    close();
    say("stopped", "stopped");
    remember("");
  };
  const remember = (on) => {
    const here = new URL(location.href);
    if (on) here.searchParams.set("tail", on);
    else here.searchParams.delete("tail");
    history.replaceState(null, "", here);
  };

  toggle.hidden = false;
  if (place.dataset.tailLive === "yes") {
    toggle.setAttribute("aria-pressed", "false");
    toggle.addEventListener("click", (event) => {
      event.preventDefault();
      if (wanted) stop();
      else start();
    });
    toggle.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      toggle.click();
    });
  }
  place.querySelector("[data-tail-stop]").addEventListener("click", stop);
  resume.addEventListener("click", () => {
    for (const open of list.querySelectorAll("details[open]")) open.open = false;
    getSelection().removeAllRanges();
    window.scrollTo({ top: 0 });
    soon();
  });
  window.addEventListener("scroll", soon, { passive: true });
  list.addEventListener("toggle", soon, true);
  document.addEventListener("selectionchange", () => { if (waiting.length) soon(); });
  if (place.dataset.tailOn === "yes") start();
})();
