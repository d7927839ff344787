/*
 * Charts: the JSON that stands in the page, drawn by uPlot. All charts of a page share the crosshair and the time axis; a drag
 * over one chooses the whole page's time range; a click offers what explains that moment. Deploys, incidents and breakers that
 * opened (/marks) stand on each of them. Without this script the table behind each chart has the numbers.
 */
(() => {
  "use strict";

  const PLOT_HEIGHT = 150;
  const TALL = 220;
  const MARKS_EVERY_MS = 20000;
  const COLOURS = 8;
  const TONES = { main: "--span", bad: "--open", weak: "--half", good: "--closed" };
  const SHAPES = { deploy: "▲", incident: "■", breaker: "◆" };
  const drawn = new Map();
  let marks = [];
  let marksAsked = 0;
  let marksOf = "";

  /* --- words: the same as dashboards/units.py --- */
  const short = (value) => {
    const size = Math.abs(value);
    if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))} G`;
    if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
    if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
    return String(Number(value.toPrecision(3)));
  };
  const seconds = (value) => {
    const size = Math.abs(value);
    if (size === 0) return "0 s";
    if (size >= 86400) return `${Number((value / 86400).toPrecision(3))} d`;
    if (size >= 3600) return `${Number((value / 3600).toPrecision(3))} h`;
    if (size >= 60) return `${Number((value / 60).toPrecision(3))} min`;
    return `${Number(value.toPrecision(3))} s`;
  };
  const bytes = (value) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let left = value;
    let unit = 0;
    while (Math.abs(left) >= 1024 && unit < units.length - 1) {
      left /= 1024;
      unit += 1;
    }
    return `${Number(left.toPrecision(3))} ${units[unit]}`;
  };
  const milliseconds = (value) => {
    const size = Math.abs(value);
    if (size >= 1000) return seconds(value / 1000);
    if (size > 0 && size < 1) return `${Math.round(value * 1000)} µs`;
    return `${Number(value.toPrecision(3))} ms`;
  };
  const WRITERS = {
    "": short,
    count: short,
    per_second: short,
    ratio: (value) => (value > 0 && value < 0.0005 ? "<0.1 %" : `${Number((value * 100).toPrecision(3))} %`),
    ms: milliseconds,
    s: seconds,
    bytes,
    bytes_per_second: (value) => `${bytes(value)}/s`,
  };
  const written = (value, unit) => {
    if (value === null || value === undefined) return "–";
    return WRITERS[unit] ? WRITERS[unit](value) : `${short(value)} ${unit}`;
  };
  const utc = (at) => new Date(at * 1000).toISOString();

  const colour = (token) => {
    const probe = document.createElement("span");
    probe.className = "visually-hidden";
    probe.style.color = `var(${token})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };

  /* --- the page's time range, chosen by a drag --- */
  const withRange = (address, start, end) => {
    const url = new URL(address, location.href);
    url.searchParams.set("start", utc(start));
    url.searchParams.set("end", utc(end));
    return url.href;
  };
  const zoom = (plot, place) => {
    const { left, width } = plot.select;
    if (width < 6) return;
    const start = plot.posToVal(left, "x");
    const end = plot.posToVal(left + width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (end - start > 0.5) location.assign(withRange(place.dataset.url, start, end));
  };

  /* --- a click: what explains this moment --- */
  const offer = (plot, place, data) => {
    const at = plot.posToVal(plot.cursor.left, "x");
    const reach = Math.max(data.step, 60);
    let line = place.nextElementSibling;
    if (!line || !line.matches(".chart-at")) {
      line = document.createElement("p");
      line.className = "chart-at steps";
      place.after(line);
    }
    const words = document.createElement("span");
    words.className = "dim";
    words.textContent = `around ${utc(at).slice(11, 19)}:`;
    line.replaceChildren(words, ...data.links.map(([label, address]) => {
      const link = document.createElement("a");
      link.textContent = label;
      link.href = withRange(address, at - reach, at + reach);
      return link;
    }));
  };

  const timeLabels = (plot, splits, axis, space, step) => {
    const long = plot.scales.x.max - plot.scales.x.min > 129600;
    return splits.map((at) => {
      const text = utc(at);
      if (step >= 86400) return text.slice(5, 10);
      if (long) return `${text.slice(8, 10)}. ${text.slice(11, 16)}`;
      return step < 60 ? text.slice(11, 19) : text.slice(11, 16);
    });
  };

  /* a point whose neighbours are missing has no line: it is drawn as a dot */
  const lonely = (plot, index) => {
    const values = plot.data[index];
    const found = [];
    for (let i = 0; i < values.length; i += 1) {
      if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
    }
    return found;
  };

  const stroke = (series, index) => {
    const token = TONES[series.tone] || `--c${(index % COLOURS) + 1}`;
    return colour(token);
  };

  const options = (place, data, height) => ({
    width: place.clientWidth,
    height,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    cursor: {
      sync: { key: "fuseboard", setSeries: false, filters: { pub: (type) => type !== "mousedown" && type !== "mouseup" } },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      focus: { prox: data.series.length > 1 ? 16 : -1 },
      points: { size: 7 },
    },
    focus: { alpha: 0.25 },
    scales: {
      x: { range: [data.start, data.end] },
      y: { range: (plot, low, high) => [low < 0 ? low * 1.1 : 0, high > 0 ? high * 1.1 : low < 0 ? 0 : 1] },
    },
    axes: [
      { stroke: colour("--dim"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, size: 26, space: 60, values: timeLabels },
      {
        stroke: colour("--dim"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, size: 60, space: 32,
        values: (plot, splits) => splits.map((value) => written(value, data.unit)),
      },
    ],
    series: [
      { label: "UTC", value: (plot, at) => (at == null ? "–" : utc(at).slice(11, 19)) },
      ...data.series.map((series, index) => ({
        label: series.label,
        stroke: stroke(series, index),
        width: 1.6,
        dash: series.dashed || (index >= COLOURS && !series.tone) ? [6, 3] : undefined,
        points: { show: true, size: 4, filter: lonely },
        value: (plot, value) => written(value, data.unit),
      })),
    ],
    hooks: {
      setSelect: [(plot) => zoom(plot, place)],
      setSize: [(plot) => placeMarks(plot)],
      ready: [(plot) => {
        if (place.closest(".tall")) plot.root.querySelector(".u-legend").tabIndex = 0; // it scrolls
        if (data.links.length) plot.over.addEventListener("click", () => offer(plot, place, data));
      }],
    },
  });

  /* --- marks --- */
  const placeExemplars = (plot) => {
    plot.over.querySelectorAll(".chart-exemplar").forEach((each) => each.remove());
    for (const one of plot.exemplars || []) {
      const x = plot.valToPos(one.at, "x");
      const y = plot.valToPos(one.value, "y");
      if (!(x >= 0 && x <= plot.over.clientWidth)) continue;
      const link = document.createElement("a");
      link.className = "chart-exemplar";
      link.href = one.url;
      link.tabIndex = -1;
      link.title = `${utc(one.at).slice(11, 19)} ${one.label}: open its trace`;
      link.setAttribute("aria-hidden", "true");
      link.textContent = "◇";
      link.style.left = `${x}px`;
      link.style.top = `${Math.min(Math.max(y, 0), plot.over.clientHeight)}px`;
      link.addEventListener("mousedown", (event) => event.stopPropagation());
      plot.over.append(link);
    }
  };
  const placeMarks = (plot) => {
    placeExemplars(plot);
    plot.over.querySelectorAll(".chart-mark").forEach((each) => each.remove());
    for (const mark of marks) {
      const x = plot.valToPos(mark.at, "x");
      if (!(x >= 0 && x <= plot.over.clientWidth)) continue;
      const link = document.createElement("a");
      link.className = `chart-mark m-${mark.kind}`;
      link.href = mark.url;
      link.tabIndex = -1;
      link.title = `${utc(mark.at).slice(11, 19)} ${mark.label}`;
      link.setAttribute("aria-hidden", "true");
      link.textContent = SHAPES[mark.kind] || "●";
      link.style.left = `${x}px`;
      link.addEventListener("mousedown", (event) => event.stopPropagation());
      plot.over.append(link);
    }
  };
  const listMarks = () => {
    for (const place of document.querySelectorAll("[data-marks]")) {
      place.querySelector("summary").textContent = marks.length ? `${marks.length} marks: deploys, incidents, breakers that opened` : "No deploy, incident or opened breaker in this range";
      place.querySelector("ol").replaceChildren(...marks.map((mark) => {
        const item = document.createElement("li");
        const link = document.createElement("a");
        link.href = mark.url;
        link.textContent = mark.label;
        item.append(`${SHAPES[mark.kind] || "●"} ${utc(mark.at).slice(11, 19)} `, link);
        return item;
      }));
    }
  };
  const askMarks = async () => {
    const place = document.querySelector("[data-chart]");
    if (!place) return;
    const of = new URL(place.dataset.url, location.href).searchParams;
    const question = new URLSearchParams({ start: of.get("start") || "", end: of.get("end") || "", env: of.get("env") || "" });
    const service = document.querySelector("[data-marks-of]");
    if (service) question.set("service", service.dataset.marksOf);
    if (String(question) === marksOf && Date.now() - marksAsked < MARKS_EVERY_MS) return;
    marksOf = String(question);
    marksAsked = Date.now();
    try {
      const answer = await fetch(`/marks?${question}`);
      if (!answer.ok) return;
      marks = (await answer.json()).marks;
    } catch {
      return; // lines without marks are still right
    }
    for (const each of drawn.values()) placeMarks(each.plot);
    listMarks();
  };

  /* --- drawing --- */
  const read = (place) => {
    const source = document.getElementById(place.dataset.chart);
    return source && { text: source.textContent, data: () => JSON.parse(source.textContent) };
  };
  const draw = (place) => {
    const source = read(place);
    if (!source || !place.clientWidth) return;
    const theme = getComputedStyle(document.body).backgroundColor;
    const known = drawn.get(place);
    if (known && known.text === source.text && known.theme === theme && known.width === place.clientWidth) return;
    const data = source.data();
    const values = [data.x, ...data.series.map((series) => series.values)];
    const shape = JSON.stringify([data.unit, data.step > 0, data.series.map((series) => [series.label, series.tone])]);
    if (known && known.shape === shape && known.theme === theme && known.width === place.clientWidth) {
      known.text = source.text;
      known.plot.exemplars = data.exemplars;
      known.plot.batch(() => {
        known.plot.setData(values, false);
        known.plot.setScale("x", { min: data.start, max: data.end });
      });
      placeMarks(known.plot);
      return;
    }
    if (known) known.plot.destroy();
    const plot = new uPlot(options(place, data, place.closest(".tall") ? TALL : PLOT_HEIGHT), values, place);
    plot.exemplars = data.exemplars;
    place.setAttribute("data-drawn", "");
    drawn.set(place, { plot, theme, shape, text: source.text, width: place.clientWidth });
    placeMarks(plot);
  };
  const drawAll = () => {
    if (!window.uPlot) return;
    for (const [place, each] of drawn) {
      if (place.isConnected) continue;
      each.plot.destroy();
      drawn.delete(place);
    }
    document.querySelectorAll("[data-chart]").forEach(draw);
    askMarks();
  };

  let resizing = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(drawAll);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("fuseboard:theme", drawAll);
  document.body.addEventListener("htmx:after:swap", drawAll);
  drawAll();
})();
