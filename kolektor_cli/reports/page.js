
"use strict";
// Sorts a table by a column; numbers by number, and rows without a value stay last.
function sortBy(button) {
  const head = button.closest("th");
  const body = button.closest("table").tBodies[0];
  const falling = head.getAttribute("aria-sort") === "ascending";
  const value = (row) => {
    const cell = row.cells[head.cellIndex];
    return "by" in cell.dataset ? parseFloat(cell.dataset.by) : cell.textContent;
  };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (typeof x === "string" || typeof y === "string") {
      const order = String(x).localeCompare(String(y), "en", { numeric: true });
      return falling ? -order : order;
    }
    if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
    return falling ? y - x : x - y;
  };
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  body.append(...[...body.rows].sort(compare));
}
const dialog = document.querySelector("dialog");
const large = dialog.querySelector(".large");
function enlarge(button) {
  const image = button.querySelector("img").cloneNode();
  image.className = button.classList.contains("square") ? "square" : "";
  large.replaceChildren(image);
  dialog.querySelector("p").textContent = image.alt;
  dialog.showModal();
  large.scrollLeft = (large.scrollWidth - large.clientWidth) / 2;
}
document.addEventListener("click", (event) => {
  const sort = event.target.closest(".sort");
  if (sort) sortBy(sort);
  const picture = event.target.closest(".enlarge");
  if (picture) enlarge(picture);
  if (event.target === dialog) dialog.close();
});
// In print, everything is open.
const folded = () => document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => folded().forEach((one) => { one.open = true; one.dataset.printed = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("[data-printed]").forEach((one) => { one.open = false; delete one.dataset.printed; }));
