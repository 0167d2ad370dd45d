"use strict";
for (const chart of document.querySelectorAll(".chart")) {
  const curves = Object.values(JSON.parse(chart.dataset.curves)), svg = chart.querySelector("svg");
  const cursor = chart.querySelector(".cursor"), values = [...chart.querySelectorAll(".legend b")];
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    let at = 0;
    curves.forEach((points, i) => {
      const near = points.reduce((a, b) => Math.abs(b[2] - x) < Math.abs(a[2] - x) ? b : a);
      values[i].textContent = near[1];
      at = near[2];
    });
    cursor.setAttribute("x1", at); cursor.setAttribute("x2", at); cursor.style.visibility = "visible";
  });
  svg.addEventListener("pointerleave", () => { cursor.style.visibility = "hidden"; values.forEach(v => v.textContent = ""); });
}
