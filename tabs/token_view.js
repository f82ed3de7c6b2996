// A lane of the Generate tab. Its value is lines of JSON that only grow while a text is made, so
// that each update costs what is new:
//   {"title", "prompt", "words", "first"}  at first: what to show around the text, and whether
//                                      to bring it in sight, as a phone needs
//   ["text", p, [["other", p], …], n]  a token, its probability, the likeliest ones; it is the n-th
//   {"say"}                            a line beside the title, replacing the one before
//   {"end"}                            nothing comes any more
// Gradio runs this once with `element`, `props` and `watch`; the template never changes, so what is
// drawn here stays. Tokens are one tab stop: arrows walk along them, a click or Enter picks one.
const SURE = [0.5, 0.2, 0.05, 0.01]; // borders of the classes p0 (sure) … p4
const find = (name) => element.querySelector(".lab-lane" + name);
const lane = find(""), text = find("-text"), list = find("-next ol");
let seen = "", tokens = [], words = {}, follow = true;

const made = (tag, className, content) => {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = content;
  return node;
};
const visible = (label) => label.replace(/^ +| +$/g, (blanks) => "␣".repeat(blanks.length)).replaceAll("\n", "↵").replaceAll("\t", "⇥");
const percent = (p) => (p < 0.001 ? "< 0.1 %" : (p * 100).toFixed(p >= 0.0995 ? 0 : 1) + " %");
const spans = () => text.querySelectorAll(".lab-token");

function reset() {
  [seen, tokens, follow] = ["", [], true];
  text.replaceChildren();
  list.replaceChildren();
  list.removeAttribute("aria-live"); // nobody wants every token read out
  find("-speed").textContent = "";
  lane.hidden = true;
}

function begin(head) {
  words = head.words;
  lane.hidden = false;
  lane.classList.add("lab-running");
  find("-title").textContent = head.title;
  find("-next h4").textContent = words.next;
  find("-hint").textContent = words.hint;
  text.setAttribute("aria-label", words.text);
  text.append(made("span", "lab-prompt", head.prompt));
  const below = lane.getBoundingClientRect().top > window.innerHeight - 120;
  if (head.first && below) lane.scrollIntoView({ block: "start" });
}

function token([piece, p, candidates, chosen]) {
  const node = made("span", "lab-token p" + (SURE.findIndex((least) => p >= least) + 5) % 5, piece);
  node.setAttribute("role", "button");
  node.tabIndex = tokens.length ? -1 : 0;
  node.dataset.at = tokens.length;
  tokens.push({ piece, p, candidates, chosen });
  text.append(node);
}

function read(line) {
  const said = JSON.parse(line);
  if (Array.isArray(said)) token(said);
  else if (said.words) begin(said);
  else if (said.end) lane.classList.remove("lab-running");
  else find("-speed").textContent = said.say;
}

function show(at) {
  const { piece, p, candidates, chosen } = tokens[at];
  const rows = candidates.map(([label, share], n) => row(label, share, n === chosen));
  if (chosen < 0) rows.push(row(piece, p, true)); // an unlikely one, beyond the ten
  list.replaceChildren(...rows);
}

function row(label, share, chosen) {
  const item = made("li", chosen ? "lab-chosen" : "", "");
  const bar = made("span", "lab-share", "");
  bar.style.setProperty("--share", share);
  item.append(made("span", "lab-label", visible(label)), bar, made("span", "lab-percent", percent(share)));
  if (chosen) item.setAttribute("aria-label", `${visible(label)} ${percent(share)}, ${words.chosen}`);
  return item;
}

function pick(at, focus) {
  if (!tokens[at]) return;
  const all = spans();
  for (const old of text.querySelectorAll('[aria-pressed="true"]')) old.removeAttribute("aria-pressed");
  for (const old of text.querySelectorAll('.lab-token[tabindex="0"]')) old.tabIndex = -1;
  all[at].setAttribute("aria-pressed", "true");
  all[at].tabIndex = 0;
  if (focus) all[at].focus();
  follow = false;
  list.setAttribute("aria-live", "polite");
  show(at);
}

function draw() {
  const value = props.value || "";
  if (!value.startsWith(seen) || !seen) reset();
  const fresh = value.slice(seen.length);
  seen = value;
  for (const line of fresh.split("\n")) if (line) read(line);
  if (follow && tokens.length) show(tokens.length - 1);
}

text.addEventListener("click", (event) => {
  const node = event.target.closest(".lab-token");
  if (node) pick(Number(node.dataset.at), true);
});
text.addEventListener("keydown", (event) => {
  const node = event.target.closest(".lab-token");
  if (!node) return;
  const at = Number(node.dataset.at), last = tokens.length - 1;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last, Enter: at, " ": at }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  pick(Math.min(Math.max(to, 0), last), true);
});
watch("value", draw);
draw();
