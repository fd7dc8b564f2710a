"use strict";
// Everything shown is set as text, never as markup; records are data.
const records = window.GUIDE.records;
const byId = new Map(records.map((record) => [record.id, record]));
const page = document.getElementById("page");
const query = document.getElementById("query");
const type = document.getElementById("type");
const PAIRED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]/;
const TOKEN = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+|[\p{L}\p{N}\p{M}]+/gu;
const SMALL = new Set("a an and are as at be by can do does for from how i if in into is it its make me my no not of on one or so that the their there this to up use was we what when which who why will with you".split(" "));
const MOST = 50;

function fold(text) {
  return text.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f]/g, "").normalize("NFC");
}

function terms(text) {
  const found = [];
  for (const word of fold(text).match(TOKEN) || []) {
    if (!PAIRED.test(word)) found.push(word);
    else if (word.length === 1) found.push(word);
    else for (let i = 0; i + 1 < word.length; i += 1) found.push(word.slice(i, i + 2));
  }
  return found;
}

// term -> record number -> weight
const index = new Map();
function put(number, text, weight) {
  for (const term of terms(text)) {
    let row = index.get(term);
    if (!row) index.set(term, (row = new Map()));
    row.set(number, Math.max(row.get(number) || 0, weight));
  }
}
records.forEach((record, number) => {
  record.titles.forEach((text) => put(number, text, 4));
  record.names.forEach((text) => put(number, text, 4));
  record.keywords.forEach((text) => put(number, text, 3));
  put(number, record.summary, 2);
  put(number, record.type + " " + (record.fields.domain || []).join(" ") + " " + (record.fields.tags || []).join(" "), 1);
  record.claims.forEach((claim) => put(number, claim.text, 1));
  put(number, record.body, 1);
});
const vocabulary = [...index.keys()];

function oneTypo(a, b) {
  if (Math.abs(a.length - b.length) > 1 || a[0] !== b[0]) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i += 1;
  const rest = (x, n) => x.slice(i + n);
  return rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1)
    || (a[i] === b[i + 1] && a[i + 1] === b[i] && rest(a, 2) === rest(b, 2));
}

function like(word) {
  const found = [];
  if (index.has(word)) found.push([word, 1]);
  if (word.length < 4) return found;
  for (const term of vocabulary) {
    if (term === word || term.length < 4) continue;
    if (term.startsWith(word) || (word.startsWith(term) && word.length - term.length <= 3)) found.push([term, 0.6]);
  }
  if (!found.length) for (const term of vocabulary) if (term.length > 3 && oneTypo(word, term)) found.push([term, 0.5]);
  return found;
}

function search(text, wanted) {
  const asked = terms(text);
  const words = asked.filter((word) => !SMALL.has(word));
  const scores = new Map();
  for (const word of words.length ? words : asked) {
    const best = new Map();
    for (const [term, near] of like(word)) {
      const row = index.get(term);
      const rare = Math.log(1 + records.length / row.size);
      for (const [number, weight] of row) best.set(number, Math.max(best.get(number) || 0, near * rare * weight));
    }
    for (const [number, score] of best) scores.set(number, (scores.get(number) || 0) + score);
  }
  const whole = asked.join(" ");
  for (const number of scores.keys()) {
    const record = records[number];
    if ([...record.titles, ...record.names].some((name) => terms(name).join(" ") === whole)) scores.set(number, scores.get(number) + 1000);
  }
  return [...scores].map(([number, score]) => [records[number], score])
    .filter(([record]) => !wanted || record.type === wanted)
    .sort((a, b) => b[1] - a[1]).slice(0, MOST).map(([record]) => record);
}

function make(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function show(...nodes) {
  page.replaceChildren(...nodes);
}

function line(record) {
  const item = make("li");
  const kind = make("span", record.type, { class: "kind" });
  item.append(make("a", record.title, { href: "#" + record.id }), " ", kind, make("div", record.summary, { class: "soft" }));
  return item;
}

function list(found, nothing) {
  if (!found.length) return make("p", nothing);
  const items = make("ul");
  items.append(...found.map(line));
  return items;
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (value && typeof value === "object") return Object.entries(value).filter(([, v]) => v !== null).map(([k, v]) => k + " " + plain(v)).join(", ");
  return value === true ? "yes" : value === false ? "no" : String(value);
}

function link(url, text) {
  return /^https?:\/\//.test(url) ? make("a", text, { href: url, rel: "noopener noreferrer" }) : make("a", text, { href: "#" + url });
}

function claimNode(claim) {
  const node = make("div", "", { class: claim.status === "checked" ? "checked" : "recalled" });
  const value = claim.value === undefined ? "" : " (" + claim.value + (claim.unit ? " " + claim.unit : "") + ")";
  const said = make("div", claim.text + value);
  const where = make("div", claim.status + (claim.as_of ? ", as of " + claim.as_of : "") + (claim.opened ? ", opened " + claim.opened : "") + ", ", { class: "soft" });
  where.append(link(claim.source, "source"), claim.locator ? ", " + claim.locator : "");
  node.append(said, where);
  return node;
}

function showRecord(record) {
  const nodes = [make("h2", record.title), make("span", record.type, { class: "kind" }), make("p", record.summary)];
  const titles = new Set(record.titles.map((text) => text.toLowerCase()));
  const others = [...record.titles.slice(1), ...record.names.filter((text) => !titles.has(text.toLowerCase()))];
  if (others.length) nodes.push(make("p", others.join(" · "), { class: "soft" }));
  if (record.body) nodes.push(make("p", record.body));
  const fields = make("dl");
  for (const [name, value] of Object.entries(record.fields)) {
    const cell = make("dd");
    cell.append(name === "url" ? link(value, value) : plain(value));
    fields.append(make("dt", name.replaceAll("_", " ")), cell);
  }
  nodes.push(fields);
  if (record.claims.length) nodes.push(make("h3", "What is claimed"), ...record.claims.map(claimNode));
  if (record.links.length) {
    const items = make("ul");
    for (const [rel, to] of record.links) {
      const item = make("li", rel + ": ");
      item.append(make("a", (byId.get(to) || { title: to }).title, { href: "#" + to }));
      items.append(item);
    }
    nodes.push(make("h3", "Links"), items);
  }
  if (record.keywords.length) nodes.push(make("p", "Found by: " + record.keywords.join(", "), { class: "soft" }));
  show(...nodes);
  document.title = record.title + " - field guide";
  window.scrollTo(0, 0);
}

function showHome() {
  const types = make("nav", "", { class: "types", "aria-label": "Types" });
  for (const name of window.GUIDE.types) {
    const count = records.filter((record) => record.type === name).length;
    if (count) types.append(make("a", name + " (" + count + ")", { href: "#type=" + name }));
  }
  const claims = records.reduce((sum, record) => sum + record.claims.length, 0);
  show(make("p", records.length + " records, " + claims + " claims. Type a word in any language, or choose a type."), types);
  document.title = "bluerider field guide";
}

function render() {
  const hash = decodeURIComponent(location.hash.slice(1));
  if (byId.has(hash)) return showRecord(byId.get(hash));
  if (hash.startsWith("type=")) {
    type.value = hash.slice(5);
    return show(make("h2", type.value), list(records.filter((record) => record.type === type.value), "nothing here"));
  }
  if (hash.startsWith("q=")) query.value = hash.slice(2);
  else query.value = "";
  if (query.value.trim()) return show(list(search(query.value.slice(0, 500), type.value), "Nothing found; try other words."));
  type.value = "";
  return showHome();
}

function ask() {
  const text = query.value.trim();
  history.replaceState(null, "", text ? "#q=" + encodeURIComponent(text) : type.value ? "#type=" + type.value : "#");
  render();
}

for (const name of window.GUIDE.types) type.append(make("option", name, { value: name }));
query.addEventListener("input", ask);
type.addEventListener("change", ask);
window.addEventListener("hashchange", render);
render();
