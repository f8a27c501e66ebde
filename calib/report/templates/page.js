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
