/*
 * What the pages do beyond reading: theme, menus, time range, refresh that waits while someone reads. Parts that come later are parts.js,
 * charts are drawn by charts.js, the command palette is palette.js. Every page is complete without them.
 */
(() => {
  "use strict";

  const REFRESH_MS = 3000;
  const PARTS_EVERY = 5; // parts that took their own question are asked for again at every so many refreshes
  const READING_MS = 15000; // a pointer resting longer than this over a row is not reading any more
  const body = document.body;

  /* --- the title of a page whose content came after its frame --- */
  const titled = document.querySelector("#live[data-title]");
  if (titled) document.title = titled.dataset.title;

  /* --- theme: auto -> light -> dark, kept per browser --- */
  const toggle = document.querySelector("[data-theme-toggle]");
  const showTheme = () => {
    toggle.querySelector("[data-theme-name]").textContent = document.documentElement.dataset.theme || "auto";
  };
  if (toggle) {
    showTheme();
    toggle.addEventListener("click", () => {
      const root = document.documentElement;
      const next = { undefined: "light", light: "dark", dark: undefined }[root.dataset.theme];
      if (next) root.dataset.theme = next;
      else delete root.dataset.theme;
      try {
        if (next) localStorage.setItem("fuseboard-theme", next);
        else localStorage.removeItem("fuseboard-theme");
      } catch { /* not kept, still applied */ }
      showTheme();
      document.dispatchEvent(new CustomEvent("fuseboard:theme"));
    });
  }

  const typing = (element) => element && element.matches("input, textarea, select, [contenteditable]");

  /* --- menus: close with Escape and by a click elsewhere --- */
  const menus = () => document.querySelectorAll("[data-menu][open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  /* --- time range: a calendar beside the text, environments to choose from, a link to share --- */
  document.querySelectorAll("[data-calendar]").forEach((label) => {
    label.hidden = false;
    const input = label.querySelector("input");
    input.addEventListener("change", () => {
      if (input.value) input.form.elements[input.dataset.for].value = `${input.value}${input.value.length === 16 ? ":00" : ""}Z`;
    });
  });
  const environments = document.querySelector("[data-environments]");
  if (environments) {
    environments.addEventListener("focus", async () => {
      try {
        const names = (await (await fetch(`/environments${location.search}`)).json()).environments;
        environments.list.replaceChildren(...names.map((name) => new Option(name)));
      } catch { /* whoever knows its name can still type it */ }
    }, { once: true });
  }
  const share = document.querySelector("[data-share]");
  if (share) {
    share.addEventListener("click", async (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || !navigator.clipboard) return;
      event.preventDefault();
      const said = document.querySelector("[data-share-said]");
      try {
        await navigator.clipboard.writeText(new URL(share.getAttribute("href"), location.href).href + location.hash);
        said.textContent = "link copied";
      } catch {
        location.assign(share.href); // the address bar then holds it
        return;
      }
      setTimeout(() => { said.textContent = ""; }, 4000);
    });
  }

  /* --- the sample shop's tour, until it is hidden; the page may be made anew beneath, so its button is found by delegation --- */
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("[data-tour-hide]")) return;
    document.documentElement.classList.add("no-tour");
    try {
      localStorage.setItem("fuseboard-tour", "hidden");
    } catch { /* hidden until the next page */ }
  });

  /* --- a link to a span opens it --- */
  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  window.addEventListener("hashchange", openTarget);
  openTarget();

  /* --- refresh, paused while hidden, typing, selecting or reading --- */
  const status = document.querySelector("[data-live-status]");
  let pointerOver = null;
  let pointerMovedAt = 0;
  let asking = false;
  let failed = false;
  let lastGood = new Date();

  document.addEventListener("pointermove", (event) => {
    pointerMovedAt = Date.now();
    pointerOver = event.target instanceof Element ? event.target : null;
  }, { passive: true });
  document.addEventListener("pointerleave", () => { pointerOver = null; });

  const pausedBecause = () => {
    if (document.hidden) return "the tab is hidden";
    if (typing(document.activeElement)) return "you are typing";
    if (String(getSelection())) return "text is selected";
    if (scrollY > 160) return "you have scrolled";
    if (menus().length || document.querySelector("dialog[open]")) return "you are choosing";
    if (document.querySelector("#live details[open]")) return "details are open";
    const reading = pointerOver && pointerOver.isConnected && pointerOver.closest("#live article, #live tr, #live li, #live figure");
    if (reading && Date.now() - pointerMovedAt < READING_MS) return "you are reading";
    return "";
  };
  const say = (paused) => {
    status.toggleAttribute("data-paused", Boolean(paused));
    status.toggleAttribute("data-failed", failed && !paused);
    const at = lastGood.toISOString().slice(11, 19);
    const text = paused ? `paused: ${paused}` : failed ? `refresh failed, shown as of ${at}` : "refreshing";
    const place = status.querySelector("[data-live-text]");
    if (place.textContent !== text) place.textContent = text;
  };
  const isPart = (event) => event.target instanceof Element && event.target.matches("[data-part]");
  if (status && window.htmx) {
    let rounds = 0;
    setInterval(() => {
      const paused = pausedBecause();
      say(paused);
      if (paused || asking) return;
      body.dispatchEvent(new CustomEvent("fuseboard:refresh"));
      rounds += 1;
      if (rounds % PARTS_EVERY === 0) body.dispatchEvent(new CustomEvent("fuseboard:parts"));
    }, REFRESH_MS);
    document.addEventListener("visibilitychange", () => say(pausedBecause()));
    body.addEventListener("htmx:before:request", (event) => { if (!isPart(event)) asking = true; });
    body.addEventListener("htmx:finally:request", (event) => { if (!isPart(event)) asking = false; });
    body.addEventListener("htmx:error", (event) => {
      if (isPart(event)) return;
      failed = true;
      say("");
    });
    body.addEventListener("htmx:after:swap", () => {
      failed = false;
      lastGood = new Date();
      say("");
    });
    say("");
  }
})();
