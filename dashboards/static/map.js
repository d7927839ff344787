/*
 * The map: a click on a node opens the panel beside it (its URL says so), the slider shows the moment it is let go at, and
 * buttons make it larger. Without this script nodes lead to their own panel page and the slider has a button.
 */
(() => {
  "use strict";

  const side = document.querySelector("[data-side]");
  let scale = 1;
  try {
    scale = Number(sessionStorage.getItem("fuseboard-map-scale")) || 1;
  } catch { /* the usual size */ }

  const address = (name) => {
    const url = new URL(location.href);
    if (name) url.searchParams.set("side", name);
    else url.searchParams.delete("side");
    return url;
  };
  const mark = (name) => {
    for (const node of document.querySelectorAll("[data-node]")) node.classList.toggle("chosen", node.dataset.node === name);
  };
  const show = async (name, focus) => {
    side.hidden = !name;
    mark(name);
    if (!name) return;
    const url = address(name);
    url.searchParams.set("part", "side");
    try {
      const answer = await fetch(url, { headers: { "HX-Request": "true" } });
      const holder = document.createElement("template");
      holder.innerHTML = await answer.text();
      side.replaceChildren(holder.content);
    } catch {
      side.textContent = "No answer came; the map is as it was.";
    }
    if (focus) side.querySelector("#side-title")?.focus();
  };
  const chosen = () => new URL(location.href).searchParams.get("side") || "";

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const node = event.target.closest("[data-node]");
    const close = event.target.closest("[data-side-close]");
    if (!node && !close) return;
    event.preventDefault();
    const name = node ? node.dataset.node : "";
    history.pushState(null, "", address(name));
    show(name, true);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !side || side.hidden) return;
    history.pushState(null, "", address(""));
    const last = document.querySelector("[data-node].chosen");
    show("", false);
    if (last) last.focus();
  });
  window.addEventListener("popstate", () => show(chosen(), false));

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-slider]")) event.target.form.requestSubmit();
  });

  const resize = () => {
    const drawing = document.querySelector("[data-map]");
    if (drawing) drawing.style.width = scale === 1 ? "" : `${Number(drawing.getAttribute("width")) * scale}px`;
    if (drawing) drawing.style.maxWidth = scale === 1 ? "" : "none";
    if (drawing) drawing.style.height = scale === 1 ? "" : "auto";
  };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const step = Number(button.dataset.zoom);
      scale = step ? Math.min(4, Math.max(0.25, scale * step)) : 1;
      try {
        sessionStorage.setItem("fuseboard-map-scale", String(scale));
      } catch { /* until the next page */ }
      resize();
    });
  }
  document.body.addEventListener("htmx:after:swap", () => {
    resize();
    mark(chosen());
  });
  resize();
  if (side && chosen()) show(chosen(), false);
})();
