"use strict";
// Texts of a run become text nodes and never markup. The data files call calibItems(name, JSON).
(() => {
const DATA = "items/", LINKS = 100, CHUNKS_KEPT = 8, OPTIONS_SHOWN = 12, SMALL = 128, LONG = 400;
const STATES = {
  r: ["right", "✓"], w: ["wrong", "✗"], f: ["refused", "–"], u: ["unjudged", "?"],
};
const at = id => document.getElementById(id);
const form = at("filters"), fields = form.elements, list = at("list"), item = at("item");

// Reading a data file: a script is put into the page and hands its content over.
const awaited = new Map(), chunks = new Map();
window.calibItems = (name, content) => {
  const take = awaited.get(name);
  awaited.delete(name);
  take?.(content);
};
const read = name => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  awaited.set(name, resolve);
  script.src = `${DATA}${name}.js`;
  script.onload = script.onerror = () => {
    script.remove();
    if (awaited.delete(name)) reject(Error(
      `${DATA}${name}.js could not be read: calib report writes it again, from the run's records.`));
  };
  document.head.append(script);
});
const chunkOf = number => {
  let low = 0, high = index.starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (index.starts[middle] <= number) low = middle; else high = middle;
  }
  return low;
};
const questionAt = async number => {
  const chunk = chunkOf(number), name = String(chunk).padStart(4, "0");
  const rows = chunks.get(name) ?? read(name);
  chunks.delete(name);
  chunks.set(name, rows);  // the last one used is the last to be forgotten
  if (chunks.size > CHUNKS_KEPT) chunks.delete(chunks.keys().next().value);
  try {
    const found = (await rows)[number - index.starts[chunk]];
    if (found?.id === index.ids[number]) return found;
  } catch (error) {
    chunks.delete(name);
    throw error;
  }
  throw Error("The report was written anew since this page was opened: load the page again.");
};

// Elements and texts. What cannot be seen, or would turn other text around, is shown as its code.
const UNSEEN = /(\u{1f3f4}[\u{e0020}-\u{e007e}]+\u{e007f})|[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const seen = text => String(text).replace(UNSEEN, (c, flag) =>
  flag ?? (c.length > 1 ? `\\U${c.codePointAt(0).toString(16).padStart(8, "0")}`
    : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`));
const nodes = parts => parts.map(part => typeof part === "string" ? seen(part) : part);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...nodes(children));
  return element;
};
const own = text => make("bdi", {}, text);  // it reorders nothing beside it
const counted = number => number.toLocaleString("en-US");
const percent = share => {
  const text = (100 * share).toFixed(1);
  if (text === "100.0" && share < 1) return "> 99.9\u00a0%";
  return text === "0.0" && share > 0 ? "< 0.1\u00a0%" : `${text}\u00a0%`;
};
const fixed = value => value === null ? "–" : value.toFixed(3).replace("-", "−");
const marked = letter => {
  const [word, sign] = STATES[letter];
  return [make("span", { class: `mark ${word}`, "aria-hidden": "true" }, sign),
    make("span", { class: "unseen" }, `${word}: `)];
};

// What is looked for: in the address, in the form, and as the numbers of the questions.
let index, sorted = {}, folded, order = [], current = -1, firstShown = 0;
const NAMES = ["group", "low", "high", "sort", "find"];
const asked = () => new URLSearchParams(location.hash.slice(1));
const shownStates = () => [...form.querySelectorAll("[name=show]:checked")].map(box => box.value);
const addressOf = number => {
  const told = new URLSearchParams();
  if (number >= 0) told.set("id", index.ids[number]);
  const shown = shownStates();
  if (shown.length < form.querySelectorAll("[name=show]").length) {
    told.set("show", shown.map(letter => STATES[letter][0]).join(","));
  }
  for (const name of NAMES) {
    const value = fields[name].value;
    if (value !== "" && !(name === "sort" && value === "file")) told.set(name, value);
  }
  return `#${told}`;
};
const readAddress = () => {
  const told = asked();
  const shown = told.has("show") ? told.get("show").split(",") : null;
  for (const box of form.querySelectorAll("[name=show]")) {
    box.checked = shown === null || shown.includes(STATES[box.value][0]);
  }
  for (const name of NAMES) fields[name].value = told.get(name) ?? (name === "sort" ? "file" : "");
  if (fields.sort.value === "") fields.sort.value = "file";
  if (fields.group.selectedIndex < 0) fields.group.value = "";
};
const sortedBy = how => sorted[how] ??= (() => {
  const sign = how === "least" ? 1 : -1, sure = index.confidence;
  return index.ids.map((_, number) => number).sort((a, b) => {
    if (sure[a] === null || sure[b] === null) return (sure[a] === null) - (sure[b] === null) || a - b;
    return sign * (sure[a] - sure[b]) || a - b;
  });
})();
const select = () => {
  const shown = new Set(shownStates()), group = fields.group.value;
  const bound = (name, none) => fields[name].value === "" ? none : Number(fields[name].value) / 100;
  const low = bound("low", -Infinity), high = bound("high", Infinity);
  const bounded = low > -Infinity || high < Infinity;
  const find = fields.find.value.trim().toLowerCase();
  if (find) folded ??= index.ids.map((id, k) => `${id}\n${index.words[k] ?? ""}`.toLowerCase());
  const every = fields.sort.value === "file" ? index.ids.keys() : sortedBy(fields.sort.value);
  order = [];
  for (const number of every) {
    const sure = index.confidence[number];
    if (shown.has(index.letters[number]) && (group === "" || index.group[number] === Number(group))
      && (!bounded || (sure !== null && sure >= low && sure <= high))
      && (!find || folded[number].includes(find))) order.push(number);
  }
};

// The list: a hundred links at once.
const turnToCurrent = () => {
  const place = order.indexOf(current);
  if (place >= 0) firstShown = place - place % LINKS;
};
const drawList = () => {
  firstShown = Math.max(0, Math.min(firstShown, order.length - 1));
  firstShown -= firstShown % LINKS;
  const links = order.slice(firstShown, firstShown + LINKS).map(number => {
    const link = make("a", { href: addressOf(number) }, ...marked(index.letters[number]));
    const words = index.words[number], sure = index.confidence[number];
    if (words) link.append(make("span", { class: "words", dir: "auto" }, words));
    else link.append(make("span", { class: "words" }, index.ids[number]));
    link.append(make("span", { class: "value" }, sure === null ? "–" : percent(sure)));
    if (words) link.append(make("span", { class: "id" }, index.ids[number]));
    if (number === current) link.setAttribute("aria-current", "true");
    return make("li", {}, link);
  });
  list.replaceChildren(...links);
  at("pager").hidden = order.length <= LINKS;
  at("shown").textContent =
    `${counted(firstShown + 1)} to ${counted(firstShown + links.length)} of ${counted(order.length)}`;
  const [earlier, later] = at("pager").querySelectorAll("button");
  earlier.disabled = firstShown === 0;
  later.disabled = firstShown + LINKS >= order.length;
};
const markCurrent = () => {
  const link = list.querySelector("[aria-current]");
  if (!link) return;
  const box = link.getBoundingClientRect(), frame = list.getBoundingClientRect();
  if (box.top < frame.top) list.scrollTop -= frame.top - box.top;
  if (box.bottom > frame.bottom) list.scrollTop += box.bottom - frame.bottom;
};

// One question whole.
const say = (...parts) => at("status").replaceChildren(...nodes(parts));
const pictureOf = ([number, name], place, of, id) => {
  const kept = index.pictures, file = kept.files[number];
  if (file === undefined) {
    const told = kept.most === 0 ? "no pictures were asked for"
      : `of ${counted(kept.distinct)} pictures ${counted(kept.most)} ${kept.most === 1 ? "is" : "are"} kept, those of the surest wrong answers first`;
    return make("div", { class: "missing" },
      own(name), ` was left out: ${told}. `, make("code", {}, `calib report RUN --pictures ${kept.distinct}`), " keeps them all.");
  }
  if (file === null) {
    return make("div", { class: "missing" }, own(name), ": no longer there, or not readable");
  }
  const which = of > 1 ? `Picture ${place + 1} of ${of}` : "Picture";
  const image = make("img", { src: `${DATA}pictures/${file}`, alt: seen(`${which} of question ${id}`) });
  image.onload = () => image.classList.toggle("small",
    Math.max(image.naturalWidth, image.naturalHeight) <= SMALL);
  return image;
};
const ROLES = { given: " given", gold: " right", both: " given, and right" };
const optionOf = ([text, prob, role]) => {
  const line = make("li", role ? { class: role } : {},
    make("div", { class: "text" }, own(text), make("em", {}, ROLES[role] ?? "")));
  if (prob !== null) {
    const bar = make("span");
    bar.style.width = `${100 * Math.min(1, prob)}%`;
    line.append(make("div", { class: "value" }, percent(prob)), make("div", { class: "bar" }, bar));
  }
  return line;
};
const optionsOf = options => {
  const ranked = [...options].sort((a, b) => (b[1] ?? 0) - (a[1] ?? 0));
  const first = ranked.filter((option, k) => k < OPTIONS_SHOWN || option[2]);
  const lines = make("ul", { class: "options" }, ...first.map(optionOf));
  if (first.length === ranked.length) return [lines];
  const more = make("button", { type: "button" }, `All ${counted(ranked.length)} options`);
  more.onclick = () => { lines.replaceChildren(...ranked.map(optionOf)); more.remove(); item.focus(); };
  return [lines, more];
};
const saidOf = ([[text, state], times]) => make("li", {},
  make("span", {}, ...marked(letterOf(state))), make("span", { class: "text", dir: "auto" }, text),
  make("span", { class: "note" }, times > 1 ? `${counted(times)} times` : ""));
const eachOnce = cluster => {
  const times = new Map(cluster.map(([text, state]) => [text, [[text, state], 0]]));
  for (const [text] of cluster) times.get(text)[1] += 1;
  return [...times.values()];
};
const letterOf = state => Object.keys(STATES).find(letter => STATES[letter][0] === state);
const clustersOf = clusters => {
  const all = clusters.reduce((sum, cluster) => sum + cluster.length, 0);
  return clusters.map(cluster => make("section", { class: "cluster" },
    make("h4", {}, `${counted(cluster.length)} of ${counted(all)} samples`),
    make("ul", { class: "said" }, ...eachOnce(cluster).map(saidOf))));
};
const described = pairs => make("dl", {}, ...pairs.flatMap(([name, value]) =>
  [make("dt", {}, name), value instanceof Node ? value : make("dd", { dir: "auto" }, value)]));
const walkOf = place => {
  const button = (text, by) => {
    const made = make("button", { type: "button" }, text);
    made.disabled = place < 0 || !(place + by in order);
    made.onclick = () => walk(by, true);
    return made;
  };
  const where = place < 0 ? "not among the questions of the list"
    : `${counted(place + 1)} of ${counted(order.length)}`;
  return make("div", { class: "walk" }, button("Previous", -1), button("Next", 1),
    make("span", { class: "note" }, where));
};
const headingOf = text => make("h2", { id: "question", dir: "auto",
  ...(text.length > LONG ? { class: "long", tabindex: "0" } : {}) }, text);
const draw = (row, place) => {
  const state = make("dd", { class: `state ${row.state}` }, row.state);
  const facts = [[row.judged ? "judged answer" : "answer", state]];
  if (row.confidence !== undefined) facts.push([index.called, percent(Math.min(1, row.confidence))]);
  if (row.given !== undefined) facts.push(["given", row.given]);
  if (row.judged) facts.push(["it says", row.judged[0]]);
  if (row.gold !== undefined) facts.push(["right", row.gold]);
  if (row.group !== undefined) facts.push(["group", row.group]);
  facts.push(["id", make("dd", {}, make("code", {}, row.id))]);
  const pictures = row.pictures ?? [];
  item.replaceChildren(walkOf(place),
    headingOf(row.question ?? `Question ${row.id}`),
    make("div", { class: "pictures" },
      ...pictures.map((picture, k) => pictureOf(picture, k, pictures.length, row.id))),
    described(facts));
  if (row.options) item.append(make("h3", {}, "Options"), ...optionsOf(row.options));
  if (row.clusters) item.append(make("h3", {}, "Samples, by what they mean"), ...clustersOf(row.clusters));
  if (row.measures) {
    item.append(make("h3", {}, "Measures of uncertainty ",
      make("a", { href: "report.html#measures", class: "note" }, "what they are")),
      described(row.measures.map(([name, value]) => [name, fixed(value)])));
  }
  if (row.prompt !== undefined) {
    item.append(make("details", {}, make("summary", {}, "The exact prompt"),
      make("pre", { dir: "auto", tabindex: "0" }, row.prompt)));
  }
};
const open = async number => {
  current = number;
  turnToCurrent();
  drawList();
  markCurrent();
  const place = order.indexOf(number);
  if (number < 0) { item.hidden = true; return; }
  try {
    const row = await questionAt(number);
    if (number !== current) return;  // another one was opened while this one was read
    const prompt = item.querySelector("details")?.open;
    draw(row, place);
    if (prompt && item.querySelector("details")) item.querySelector("details").open = true;
    item.setAttribute("aria-labelledby", "question");
    item.hidden = false;
    const among = place < 0 ? "" : `${counted(place + 1)} of ${counted(order.length)}: `;
    say(`${among}question `, own(row.id), `, ${row.state}`);
  } catch (error) {
    if (number !== current) return;
    item.hidden = true;
    say(error.message);
  }
};
const walk = (by, clicked) => {
  const place = order.indexOf(current) + by;
  if (!(place in order)) return;
  history.replaceState(null, "", addressOf(order[place]));
  open(order[place]).then(() => {
    if (!clicked) return;
    const [previous, next] = item.querySelectorAll(".walk button");
    const wanted = by < 0 ? previous : next;
    (wanted.disabled ? item : wanted).focus();  // drawn anew, they lost it
  });
};
const filter = anew => {  // another order begins at its first question
  select();
  firstShown = 0;
  if (order.length === 0) {
    open(-1);
    say("No question fits these filters.");
    return;
  }
  open(!anew && order.includes(current) ? current : order[0]);
};
const follow = () => {
  readAddress();
  select();
  const id = asked().get("id"), number = id === null ? order[0] ?? -1 : index.ids.indexOf(id);
  open(number);
  if (id !== null && number < 0) say("There is no question ", own(id), " in this run.");
  else if (number < 0) say("No question fits these filters.");
  return number;
};

const begin = () => {
  index.letters = Array.from(index.states);
  document.title = seen(`Questions one by one: ${index.title}`);
  at("about").append(`${counted(index.ids.length)} questions: `, own(index.title));
  at("told").textContent = index.pictures.told;
  at("told").hidden = !index.pictures.told;
  const counts = new Map();
  for (const letter of index.letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  for (const [letter, [word]] of Object.entries(STATES)) {
    if (!counts.has(letter)) continue;
    const box = make("input", { type: "checkbox", name: "show", value: letter, checked: "" });
    at("states").append(make("label", {}, box, " ",
      make("span", { class: word }, `${word} (${counted(counts.get(letter))})`)));
  }
  fields.group.append(make("option", { value: "" }, "all"),
    ...index.groups.map((name, k) => make("option", { value: String(k) }, name)));
  at("groups").hidden = index.groups.length < 2;
  at("range-name").textContent = index.called[0].toUpperCase() + index.called.slice(1);
  at("range").hidden = index.confidence.every(sure => sure === null);
  at("find-note").textContent = index.words.length
    ? `Find looks at ids and at the first ${index.beginning} characters of questions.`
    : "Find looks at ids.";

  let wait, how;
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(changed, 120); });
  const changed = () => {
    filter(how !== fields.sort.value);
    how = fields.sort.value;
    history.replaceState(null, "", addressOf(current));
  };
  addEventListener("hashchange", follow);
  list.addEventListener("click", event => {
    if (event.target.closest("a") && matchMedia("(max-width: 760px)").matches) {
      setTimeout(() => item.scrollIntoView());
    }
  });
  for (const button of at("pager").querySelectorAll("button")) {
    button.addEventListener("click", () => {
      firstShown += LINKS * Number(button.dataset.turn);
      drawList();
      list.scrollTop = 0;
    });
  }
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
    if (by) walk(by, false);
    else if (event.key === "/") fields.find.focus();
    else return;
    event.preventDefault();
  });
  follow();
  how = fields.sort.value;
};
read("index").then(content => { index = content; begin(); }).catch(error => say(error.message));
})();
