/*
 * How far a slow page is. Its frame stands already, its content is the rest of the same answer: until that is there, the skeleton's line says how much of
 * it has been read, and may stop it.
 *
 * Stands behind the skeleton and is not deferred, as the other scripts are: those wait for the end of the page. Without it pages come as they do.
 */
(() => {
  "use strict";

  const QUICK_MS = 700; // what is quicker needs no word
  const EVERY_MS = 400;
  const SILENT_MS = 5000; // an answer that was cut off ends no page: Chromium waits for the rest of it in silence
  const place = document.querySelector("[data-coming]");
  const bar = place.querySelector("[data-coming-bar]");
  const said = place.querySelector("[data-coming-said]");
  const text = place.querySelector("[data-coming-text]");
  const stop = place.querySelector("[data-coming-stop]");
  const short = (number) => Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(number);
  const waits = () => !document.getElementById("live") && !("ended" in place.dataset);
  let heard = Date.now();

  const show = (row) => {
    const seconds = `${(row.elapsed_ms / 1000).toFixed(0)} s`;
    if (row.state === "unknown") return;
    heard = Date.now();
    if (row.state === "waiting") text.textContent = `waiting for an answer, ${seconds}`;
    else if (row.percent === null) text.textContent = `${short(row.rows_read)} rows, ${seconds}`;
    else text.textContent = `${short(row.rows_read)} of ${short(row.rows_total)} rows, ${row.percent.toFixed(0)} %, ${seconds}`;
    if (row.state === "running" && row.percent !== null) bar.value = row.percent;
    else bar.removeAttribute("value");
    bar.hidden = false;
  };

  const ended = (words) => {
    if (!waits()) return;
    place.dataset.ended = "";
    place.removeAttribute("aria-busy");
    said.textContent = words;
    text.textContent = "";
    bar.hidden = stop.hidden = true;
    place.querySelector("[data-coming-again]").hidden = false;
  };

  const ask = async () => {
    if (!waits()) return;
    stop.hidden = false;
    try {
      const answer = await fetch(`/progress/${place.dataset.coming}`, { cache: "no-store" });
      const row = await answer.json(); // read in any case: an answer that nobody reads keeps its connection
      if (answer.ok && waits()) show(row);
    } catch { /* the server is away: silence, too */ }
    if (Date.now() - heard > SILENT_MS) ended("Nobody knows of this page any more: its answer may have been cut off.");
    else setTimeout(ask, EVERY_MS);
  };

  setTimeout(ask, QUICK_MS);
  stop.addEventListener("click", () => {
    window.stop();
    ended("Stopped.");
  });
})();
