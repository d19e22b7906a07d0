"use strict";
(function () {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const facts = read("facts");
  const byId = new Map(facts.variants.map((variant) => [variant.id, variant]));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const charts = [];
  let printing = false;

  const colors = () => (dark.matches && !printing ? "#e6edf1" : "#0b1218");
  const element = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  /* Ring around a variant that somebody looks at, beside the one around the choice. */
  const ring = (figure, id) => {
    for (const trace of figure.data) {
      const at = (trace.customdata || []).indexOf(id);
      if (at < 0) continue;
      const value = (axis) => (Array.isArray(axis) || ArrayBuffer.isView(axis) ? axis[at] : undefined);
      return [value(trace.x), value(trace.y)];
    }
    return [undefined, undefined];
  };

  const lookAt = (id) => {
    const variant = byId.get(id);
    const card = document.getElementById("looked-at");
    if (!variant || !card) return;
    card.replaceChildren(element("h3", variant.name + (id === facts.choice ? " (our choice)" : "")));
    card.append(element("p", variant.plain));
    const list = element("dl");
    for (const [name, text] of variant.figures) list.append(element("dt", name), element("dd", text));
    card.append(list);
    card.hidden = false;
    for (const chart of charts) {
      const [x, y] = ring(chart, id);
      Plotly.restyle(chart, { x: [[x]], y: [[y]], visible: x !== undefined }, [chart.data.length - 1]);
    }
  };

  const draw = () => {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const figure = read("figure-" + place.dataset.figure);
      figure.data.push({
        type: "scatter", mode: "markers", x: [null], y: [null], visible: false, name: "You look at",
        hoverinfo: "skip",
        marker: { size: 28, symbol: "circle-open", color: "#009E73", line: { width: 3 } },
      });
      const layout = { ...figure.layout, font: { color: colors(), size: 13 }, dragmode: false };
      delete layout.height;
      const config = { displayModeBar: false, responsive: true, showSendToCloud: false };
      Plotly.newPlot(place, figure.data, layout, config).then((chart) => {
        charts.push(chart);
        chart.on("plotly_click", (event) => {
          const id = event.points[0] && event.points[0].customdata;
          if (id) lookAt(id);
        });
      });
    }
  };

  const recolor = () => {
    for (const chart of charts) Plotly.relayout(chart, { "font.color": colors() });
  };

  /* The smallest download that loses no more than the budget and keeps its promises. */
  const budget = () => {
    const box = document.getElementById("budget-box");
    if (!box) return;
    const known = facts.variants.filter((v) => v.loss !== null && v.bytes && !v.broken);
    const options = [...new Set(known.map((v) => Math.max(0, v.loss)))].sort((a, b) => a - b);
    if (options.length < 2) return;
    const slider = document.getElementById("budget");
    const unit = facts.unit ? " " + facts.unit : "";
    const amount = (loss) => (facts.unit ? loss.toFixed(2) : Number(loss.toPrecision(3))) + unit;
    document.getElementById("budget-label").textContent =
      "How much worse may " + facts.metric + " get?";
    const update = () => {
      const allowed = options[Number(slider.value)];
      const inside = known.filter((v) => v.loss <= allowed + 1e-9);
      const best = inside.reduce((a, b) => (b.bytes < a.bytes ? b : a));
      const text = "at most " + amount(allowed);
      document.getElementById("budget-text").textContent = text;
      slider.setAttribute("aria-valuetext", text);
      const verb = facts.lower ? "its error is larger by " : "it loses ";
      const lost = best.loss > 1e-9 ? verb + amount(best.loss) : "it loses nothing";
      document.getElementById("budget-answer").textContent =
        "Smallest download within that: " + best.name + ", " + best.figures[0][1] + "; " + lost +
        ". " + inside.length + " of " + facts.variants.length + " variants are within it." +
        (best.id === facts.choice ? " This is our choice." : "");
      return best;
    };
    slider.max = String(options.length - 1);
    const chosen = byId.get(facts.choice);
    const start = chosen && chosen.loss !== null ? Math.max(0, chosen.loss) : 0;
    slider.value = String(Math.max(0, options.findIndex((loss) => loss >= start - 1e-9)));
    slider.addEventListener("input", () => lookAt(update().id));
    update();
    box.hidden = false;
  };

  if (document.querySelector("[data-figure]")) draw();
  budget();
  dark.addEventListener("change", recolor);
  addEventListener("beforeprint", () => {
    printing = true;
    for (const details of document.querySelectorAll("details")) details.open = true;
    recolor();
  });
  addEventListener("afterprint", () => { printing = false; recolor(); });
})();
