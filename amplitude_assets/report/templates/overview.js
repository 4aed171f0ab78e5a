// Draws the charts in the current colour scheme, and always in light colours when printed.
(function () {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print");
  const config = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };
  const PAPER_WIDTH = 660;

  function layoutOf(key) {
    const scheme = dark.matches && !paper.matches ? "dark" : "light";
    const layout = Object.assign({}, charts.figures[key].layout, { template: charts.templates[scheme] });
    return paper.matches ? Object.assign(layout, { width: PAPER_WIDTH }) : layout;
  }

  function draw() {
    for (const place of document.querySelectorAll("[data-chart]")) {
      const key = place.dataset.chart;
      Plotly.react(place, charts.figures[key].data, layoutOf(key), config);
    }
  }

  draw();
  dark.addEventListener("change", draw);
  paper.addEventListener("change", draw);
})();
