// Figures open large in a dialog; the buttons are hidden where this does not run.
const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll("button.enlarge")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const figure = button.closest("figure");
    dialog.querySelector("svg")?.remove();
    dialog.append(figure.querySelector("svg").cloneNode(true));
    dialog.setAttribute("aria-label", figure.querySelector("h3").textContent);
    dialog.showModal();
  });
}
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });

// Rows are sorted by the column whose head is pressed: up, down, and as they were.
const NEXT = {null: "ascending", ascending: "descending", descending: null};
const key = cell => {
  const text = cell.textContent.trim();
  const number = cell.dataset.value ?? text.match(/^≤ (.+)/)?.[1];
  return text === "–" ? null : number === undefined ? text : Number(number);
};
const compare = (one, other) => {
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return typeof one === "number" ? one - other : one.localeCompare(other, "en", {numeric: true});
};
for (const table of document.querySelectorAll(".scroll > table")) {
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  if (rows.length < 2) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")], sign = order === "ascending" ? 1 : -1;
      for (const each of heads) each.removeAttribute("aria-sort");
      if (order) head.setAttribute("aria-sort", order);
      const keys = new Map(rows.map(row => [row, key(row.cells[column])]));
      const known = rows.filter(row => keys.get(row) !== null);
      known.sort((one, other) => sign * compare(keys.get(one), keys.get(other)));
      // What is not known stands last, whichever the order.
      body.append(...(order ? [...known, ...rows.filter(row => !known.includes(row))] : rows));
    });
  });
}
