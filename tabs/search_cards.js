// The results of the Search tab. Gradio runs this once with `element`, `trigger` and `watch`; the
// cards are HTML made by the page (search_cards.py), so every listener sits on what contains them.
const card = (node) => node.closest?.(".lab-hit");

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-more]");
  if (button) trigger("more", { passage: button.dataset.more });
});

// The same passage in the other columns, while one is pointed at or has the focus.
function tell(passage) {
  for (const hit of element.querySelectorAll(".lab-hit")) {
    hit.classList.toggle("lab-same", passage !== undefined && hit.dataset.passage === passage);
  }
}
for (const name of ["mouseover", "focusin"]) {
  element.addEventListener(name, (event) => tell(card(event.target)?.dataset.passage));
}
for (const name of ["mouseleave", "focusout"]) element.addEventListener(name, () => tell(undefined));

// An answer that would be below the edge of a phone comes in sight.
watch("value", () => {
  const below = element.getBoundingClientRect().top > window.innerHeight - 160;
  if (below && element.querySelector(".lab-hit")) element.scrollIntoView({ block: "start" });
});
