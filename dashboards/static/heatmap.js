/* Selecting a part of the heatmap by drag. Every part can be selected by links, too: cells, durations, the failing ones, the slowest ones. */
(() => {
  "use strict";

  const map = document.querySelector("[data-heatmap]");
  if (!map) return;
  const times = map.dataset.times.split(" ");
  const durations = map.dataset.durations.split(" ");
  const columns = times.length - 1;
  const rows = durations.length - 1;
  const hint = document.querySelector(".drag-hint");
  if (hint) hint.hidden = false;

  const area = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  area.setAttribute("class", "heat-area dragged");
  const cell = (event) => {
    const box = map.getBoundingClientRect();
    const inside = (part, most) => Math.min(most - 1, Math.max(0, Math.floor(part * most)));
    return [inside((event.clientX - box.left) / box.width, columns), inside((event.clientY - box.top) / box.height, rows)];
  };
  const between = (from, to) => ({
    left: Math.min(from[0], to[0]), right: Math.max(from[0], to[0]) + 1,
    top: Math.min(from[1], to[1]), bottom: Math.max(from[1], to[1]) + 1,
  });
  const draw = ({ left, right, top, bottom }) => {
    area.setAttribute("x", left);
    area.setAttribute("y", top);
    area.setAttribute("width", right - left);
    area.setAttribute("height", bottom - top);
  };

  let from = null;
  let dragged = false;
  const stop = () => {
    from = null;
    area.remove();
  };
  map.addEventListener("dragstart", (event) => event.preventDefault());
  map.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return; // a finger scrolls
    from = cell(event);
    dragged = false;
  });
  window.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = cell(event);
    if (!dragged && to[0] === from[0] && to[1] === from[1]) return;
    dragged = true;
    event.preventDefault();
    draw(between(from, to));
    if (!area.isConnected) map.append(area);
  });
  window.addEventListener("pointerup", (event) => {
    if (!from || !dragged) {
      from = null;
      return;
    }
    const { left, right, top, bottom } = between(from, cell(event));
    const url = new URL(map.dataset.url, location.href);
    url.searchParams.set("selected_start", times[left]);
    url.searchParams.set("selected_end", times[right]);
    url.searchParams.set("selected_min_ms", durations[rows - bottom]);
    if (top > 0) url.searchParams.set("selected_max_ms", durations[rows - top]);
    stop();
    location.assign(url);
  });
  map.addEventListener("click", (event) => {
    if (dragged) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && from) stop();
  });
})();
