/*
 * What the pages do beyond reading: theme, "/" to search, refresh that waits while someone reads,
 * and charts drawn from the tables that stand beneath them. Every page is complete without it.
 */
(() => {
  "use strict";

  const REFRESH_MS = 3000;
  const READING_MS = 15000; // a pointer resting longer than this over a row is not reading any more
  const body = document.body;

  /* --- theme: auto -> light -> dark, kept per browser --- */
  const toggle = document.querySelector("[data-theme-toggle]");
  const showTheme = () => {
    toggle.querySelector("[data-theme-name]").textContent = document.documentElement.dataset.theme || "auto";
  };
  if (toggle) {
    toggle.hidden = false;
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
      drawCharts();
    });
  }

  /* --- keyboard: "/" goes to the search box --- */
  const typing = (element) => element && element.matches("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const box = document.querySelector("[data-search]");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
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
    if (document.querySelector("#live details[open]")) return "details are open";
    const reading = pointerOver && pointerOver.isConnected && pointerOver.closest("#live article, #live tr, #live li, #live figure");
    if (reading && Date.now() - pointerMovedAt < READING_MS) return "you are reading";
    return "";
  };
  const say = (paused) => {
    status.hidden = false;
    status.toggleAttribute("data-paused", Boolean(paused));
    status.toggleAttribute("data-failed", failed && !paused);
    const at = lastGood.toISOString().slice(11, 19);
    const text = paused ? `paused: ${paused}` : failed ? `refresh failed, shown as of ${at}` : "refreshing";
    const place = status.querySelector("[data-live-text]");
    if (place.textContent !== text) place.textContent = text;
  };
  if (status && window.htmx) {
    setInterval(() => {
      const paused = pausedBecause();
      say(paused);
      if (!paused && !asking) body.dispatchEvent(new CustomEvent("fuseboard:refresh"));
    }, REFRESH_MS);
    document.addEventListener("visibilitychange", () => say(pausedBecause()));
    body.addEventListener("htmx:before:request", () => { asking = true; });
    body.addEventListener("htmx:finally:request", () => { asking = false; });
    body.addEventListener("htmx:error", () => { failed = true; say(""); });
    body.addEventListener("htmx:after:swap", () => {
      failed = false;
      lastGood = new Date();
      say("");
      drawCharts();
    });
    say("");
  }

  /* --- charts: the table is the data, uPlot the picture --- */
  const charts = new Map();
  const COLOURS = { c1: "--span", c2: "--open", c3: "--half" };
  const colour = (token) => {
    const probe = document.createElement("span");
    probe.className = "visually-hidden";
    probe.style.color = `var(${token})`;
    body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  const tableData = (table) => {
    const rows = [...table.tBodies[0].rows];
    const x = rows.map((row) => Number(row.cells[0].dataset.x));
    const width = table.tHead.rows[0].cells.length;
    const columns = Array.from({ length: width - 1 }, (_, i) =>
      rows.map((row) => (row.cells[i + 1].dataset.y === "" ? null : Number(row.cells[i + 1].dataset.y))));
    return [x, ...columns];
  };
  const utc = (u, splits) => splits.map((s) => new Date(s * 1000).toISOString().slice(11, 16));
  const options = (place, table) => ({
    width: place.clientWidth,
    height: 150,
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
    cursor: { sync: { key: "fuseboard" }, drag: { x: false, y: false } },
    scales: { y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 26, values: utc },
      { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 46 },
    ],
    series: [
      { label: "UTC", value: (u, v) => (v == null ? "–" : new Date(v * 1000).toISOString().slice(11, 19)) },
      ...[...table.tHead.rows[0].cells].slice(1).map((cell) => ({
        label: cell.textContent,
        stroke: colour(COLOURS[cell.dataset.series]),
        width: 1.6,
        points: { show: false },
        value: (u, v) => (v == null ? "–" : Number(v.toPrecision(3)).toString()),
      })),
    ],
  });
  const drawChart = (place) => {
    const table = document.getElementById(place.dataset.chart);
    if (!table || !place.clientWidth) return;
    const theme = getComputedStyle(body).backgroundColor;
    const data = tableData(table);
    const known = charts.get(place);
    if (known && known.theme === theme && known.width === place.clientWidth) {
      known.plot.setData(data);
      return;
    }
    if (known) known.plot.destroy();
    charts.set(place, { plot: new uPlot(options(place, table), data, place), theme, width: place.clientWidth });
  };
  function drawCharts() {
    if (!window.uPlot) return;
    for (const place of charts.keys()) if (!place.isConnected) charts.delete(place);
    document.querySelectorAll("[data-chart]").forEach(drawChart);
  }
  drawCharts();
  let resizing = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(drawCharts);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
})();
