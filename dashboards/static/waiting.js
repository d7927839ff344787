/*
 * How far a slow page is. Whoever opens another page sees, on the one that still stands, how much of it has been read, and may stop it.
 *
 * A navigation carries no header of ours, so its name travels as a cookie: the server asks the API under that name, and /progress/<name> says how far
 * that is. Without this script pages come as they do; nothing is shown meanwhile.
 */
(() => {
  "use strict";

  const COOKIE = "fuseboard-query";
  const QUICK_MS = 700; // what is quicker needs no word
  const EVERY_MS = 400;
  const LONGEST_MS = 700000; // a question ends before that
  const place = document.querySelector("[data-waiting]");
  if (!place) return;
  const bar = place.querySelector("[data-waiting-bar]");
  const text = place.querySelector("[data-waiting-text]");
  let timer = 0;

  const name = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const keep = (id, seconds) => { document.cookie = `${COOKIE}=${id}; path=/; max-age=${seconds}; SameSite=Strict`; };
  const short = (number) => Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(number);

  const end = () => {
    clearTimeout(timer);
    timer = 0;
    place.hidden = true;
    keep("", 0);
  };

  const show = (row) => {
    const seconds = `${(row.elapsed_ms / 1000).toFixed(0)} s`;
    if (row.state === "waiting") text.textContent = `Waiting for an answer, ${seconds}`;
    else if (row.percent === null) text.textContent = `Reading: ${short(row.rows_read)} rows, ${seconds}`;
    else text.textContent = `Reading: ${short(row.rows_read)} of ${short(row.rows_total)} rows, ${row.percent.toFixed(0)} %, ${seconds}`;
    if (row.state === "running" && row.percent !== null) bar.value = row.percent;
    else bar.removeAttribute("value");
    place.hidden = row.state === "unknown";
  };

  const ask = (id, after, until) => {
    timer = setTimeout(async () => {
      try {
        const answer = await fetch(`/progress/${id}`, { cache: "no-store" });
        if (answer.ok && timer) show(await answer.json());
      } catch { /* the page is about to change, or the server is away: the browser says so itself */ }
      if (timer && Date.now() < until) ask(id, EVERY_MS, until);
    }, after);
  };

  const begin = () => {
    end();
    const id = name();
    keep(id, 60);
    ask(id, QUICK_MS, Date.now() + LONGEST_MS);
  };

  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented && event.target.method === "get") begin();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const elsewhere = link.origin !== location.origin || link.target || link.hasAttribute("download");
    const here = link.hash && link.pathname === location.pathname && link.search === location.search;
    if (!elsewhere && !here) begin();
  });
  place.querySelector("[data-waiting-stop]").addEventListener("click", () => {
    window.stop();
    end();
  });
  window.addEventListener("pageshow", end);
  keep("", 0);
})();
