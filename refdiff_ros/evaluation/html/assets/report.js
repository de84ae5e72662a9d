// Puts the gallery and the table into the page, and opens cases by the address's hash.

const SORTS = {worst: 'The worst', best: 'The best', middle: 'Drawn from the others'};

const data = JSON.parse(document.getElementById('data').textContent);
const [report, casing] = ['report', 'case'].map((id) => document.getElementById(id));
const title = document.title;
// Where the report was left: how far it was scrolled, and what had the focus.
let left = null;
let drawn = false;

const table = new CaseTable(data);
const indices = new Map(table.pairs.map((_, index) => [table.id(index), index]));

function drawGallery() {
  const box = document.getElementById('sorts');
  for (const [name, text] of Object.entries(SORTS)) {
    const rows = data.gallery[name] || [];
    if (!rows.length) continue;
    box.append(make('h3', null, text), make('div', {class: 'cards'}, rows.map(card)));
  }
}

// With a second run, the first run's rows still come first and in order.
function card(row) {
  const pictures = data.pictures[row];
  const status = textOf(data.runs[0], row, 'status');
  return make('a', {class: 'card', href: table.link(row)},
    still(pictures, 'truth and prediction', outline(pictures.truth, 'ghost'),
      outline(pictures.answer, 'answer')),
    make('b', null, data.runs[0].expression[row] || '(empty)'),
    make('span', null, `IoU ${fixed(data.runs[0].iou[row], 2)} · ${status}`));
}

function wanted() {
  if (!location.hash.startsWith(CASE)) return undefined;
  try {
    return indices.get(decodeURIComponent(location.hash.slice(CASE.length)));
  } catch (error) {
    return undefined; // a hash that was cut off inside an escape
  }
}

function show() {
  const index = wanted();
  const opens = index !== undefined;
  if (opens && casing.hidden && drawn) left = {top: scrollY, focus: document.activeElement};
  drawn = true;
  const closes = !opens && !casing.hidden;
  report.hidden = opens;
  casing.hidden = !opens;
  document.title = opens ? `${table.expression(index)} - ${title}` : title;
  casing.replaceChildren(...(opens ? casePage(table, index).filter(Boolean) : []));
  if (opens) {
    scrollTo(0, 0);
    casing.querySelector('h1').focus({preventScroll: true});
  } else if (closes) {
    goBack();
  }
}

function goBack() {
  if (left === null) {
    document.getElementById('cases').scrollIntoView(); // the case was opened by its address
    return;
  }
  scrollTo(0, left.top);
  left.focus.focus({preventScroll: true});
}

addEventListener('hashchange', show);
addEventListener('keydown', (event) => {
  if (casing.hidden || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  // In a strip that scrolls, the arrows scroll.
  if (event.target.closest('[role=region]') && event.key !== 'Escape') return;
  const found = [...casing.querySelectorAll('[data-key]')].find(
    (each) => each.dataset.key === event.key);
  if (found) found.click();
});
drawGallery();
show();
