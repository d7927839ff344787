/*
 * Parts of a page that come later: how far they are, and what went wrong with them, in their own place.
 *
 * Loaded before htmx, which asks for them as soon as it is there: an answer, or a failure, may be quicker than the scripts behind it.
 */
(() => {
  "use strict";

  const body = document.body;
  const isPart = (event) => event.target instanceof Element && event.target.matches("[data-part]");
  const SLOW_MS = 900;
  const wait = (part, id) => {
    const words = part.querySelector("[data-part-words]");
    const began = Date.now();
    const ask = async () => {
      if (part.dataset.asked !== id || !words || !words.isConnected) return;
      const seconds = ((Date.now() - began) / 1000).toFixed(0);
      let said = `${part.dataset.part}: waiting for an answer, ${seconds} s`;
      try {
        const row = await (await fetch(`/progress/${id}`, { cache: "no-store" })).json();
        if (row.state === "running") said = `${part.dataset.part}: reading${row.percent === null ? "" : `, ${row.percent.toFixed(0)} %`}, ${seconds} s`;
      } catch { /* the part itself says what is wrong */ }
      words.textContent = said;
      setTimeout(ask, SLOW_MS);
    };
    setTimeout(ask, SLOW_MS);
  };
  body.addEventListener("htmx:config:request", (event) => {
    if (!isPart(event)) return;
    const id = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    event.target.dataset.asked = id;
    event.detail.ctx.request.headers["X-Query-Id"] = id;
    wait(event.target, id);
  });
  body.addEventListener("htmx:finally:request", (event) => {
    if (!isPart(event)) return;
    delete event.target.dataset.asked;
    event.target.removeAttribute("aria-busy");
  });
  body.addEventListener("htmx:error", (event) => {
    if (!isPart(event)) return;
    const place = document.createElement("div");
    place.className = "problem";
    place.dataset.testid = "problem";
    place.dataset.code = "unreachable";
    place.textContent = `${event.target.dataset.part} could not be shown: no answer came. The rest of the page is as it was.`;
    event.target.replaceChildren(place);
  });
})();
