// The page of one case: what it was, its pictures where it has some, and its neighbours.

const SCORES = {total: 'score', generative: 'generative', discriminative: 'discriminative',
  spatial: 'place', probability: 'probability'};

function panel(title, picture, ...below) {
  return make('figure', {class: 'panel'}, picture, make('figcaption', null, make('b', null, title),
    ...below.filter(Boolean).map((text) => make('span', null, text))));
}

function casePage(table, index) {
  const place = table.order.indexOf(index);
  const neighbour = (step, text, key) => {
    const next = place < 0 ? undefined : table.order[place + step];
    return next === undefined ? make('span', {class: 'off'}, text)
      : make('a', {href: table.link(next), 'data-key': key}, text);
  };
  const pictures = table.pictured(index) ? table.pictures[table.first(index)] : null;
  return [
    make('nav', {class: 'steps', 'aria-label': 'Cases'},
      make('a', {href: '#cases', 'data-key': 'Escape'}, 'All cases'),
      neighbour(-1, '← Previous', 'ArrowLeft'), neighbour(1, 'Next →', 'ArrowRight')),
    make('p', {class: 'over'}, textOf(...table.source(index), 'image')),
    make('h1', {tabindex: '-1'}, table.expression(index) || '(empty)'),
    facts(table, index),
    ...(pictures ? shownPictures(pictures) : [make('p', {class: 'note'}, withoutPictures(table))]),
  ];
}

function withoutPictures(table) {
  const count = Object.keys(table.pictures).length;
  return count ? `This case has no pictures: ${count} of ${table.pairs.length} cases have, the `
    + 'worst, the best and some of the others.' : 'No case of this report has pictures.';
}

function facts(table, index) {
  const columns = table.runs.map((run, which) => factsOf(run, table.pairs[index][which]));
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const head = columns.length > 1 ? make('thead', null, make('tr', null, make('th', null, ''),
    ...columns.map((_, which) => make('th', {scope: 'col'},
      make('span', {class: `badge ${'ab'[which]}`}, 'AB'[which]))))) : null;
  return make('div', {class: 'scroll'}, make('table', {class: 'settings'}, head,
    make('tbody', null, names.map((name) => make('tr', null, make('th', {scope: 'row'}, name),
      columns.map((column) => make('td', null, column.get(name) || '-')))))));
}

function factsOf(run, row) {
  const found = new Map();
  if (row === null) return found;
  found.set('IoU', fixed(run.iou[row], 3));
  found.set('status', textOf(run, row, 'status'));
  if (run.error[row]) found.set('error', run.error[row]);
  found.set('intersection / union', `${run.intersection[row]} / ${run.union[row]} pixels`);
  found.set('best proposal', fixed(run.oracle[row], 3));
  found.set('pointing', fixed(run.pointing[row], 0));
  found.set('time', `${fixed(run.ms[row], 0)} ms`);
  for (const name of Object.keys(run.tags)) {
    if (tagOf(run, row, name)) found.set(name, tagOf(run, row, name));
  }
  found.set('case', run.id[row]);
  return found;
}

function shownPictures(pictures) {
  const panels = [
    panel('Picture', still(pictures, 'the picture')),
    panel('Truth', still(pictures, 'the mask meant', outline(pictures.truth, 'truth')))];
  if (pictures.answer === undefined) {
    return [make('h2', null, 'Pictures'), make('div', {class: 'panels'}, panels),
      make('p', {class: 'note'}, 'There is no answer to show.')];
  }
  panels.push(panel('Prediction', still(pictures, 'the mask answered, over the truth',
    ...pictures.rivals.map((path) => outline(path, 'rival')), outline(pictures.truth, 'ghost'),
    outline(pictures.answer, 'answer')), pictures.reason));
  if (pictures.attention) {
    const read = pictures.words === pictures.root ? '' : `read from all words of “${pictures.words}”`;
    panels.push(panel(`Root word's attention: “${pictures.root}”`, still(pictures,
      `attention of the root word ${pictures.root}`, heat(pictures, pictures.attention),
      outline(pictures.truth, 'ghost')), 'what is scored by (Eq. 5): dark is 0, bright is 1', read));
  }
  if (pictures.grasp) panels.push(graspPanel(pictures));
  return [
    make('h2', null, 'Pictures'), make('div', {class: 'panels'}, panels), legend(pictures),
    ...pictures.notes.map((text) => make('p', {class: 'note'}, `Note: ${text}`)),
    ...tokenStrip(pictures), ...candidateStrip(pictures)];
}

function legend(pictures) {
  const line = (kind, text) => make('span', {class: 'key'}, draw('svg', {viewBox: '0 0 26 10',
    width: 26, height: 10, 'aria-hidden': 'true'}, outline('M1 5h24', kind)), text);
  return make('p', {class: 'legend'}, line('answer', 'prediction'), line('truth', 'truth'),
    line('ghost', 'truth, for comparison'),
    pictures.rivals.length ? line('rival', 'fits about as well') : null,
    pictures.grasp && pictures.grasp.valid ? line('contact', 'closing line and contacts') : null,
    pictures.grasp && pictures.grasp.valid ? line('axis', 'main axis') : null);
}

function graspPanel(pictures) {
  const grasp = pictures.grasp;
  if (!grasp.valid) {
    return panel('Grasp region', still(pictures, 'no grasp region'), grasp.words);
  }
  const jaws = ([[u1, v1], [u2, v2]]) => {
    const [du, dv] = [u2 - u1, v2 - v1];
    const size = Math.min(0.25, 0.03 * pictures.size[0] / Math.max(Math.hypot(du, dv), 1));
    const jaw = (u, v) => segments(
      [[u - dv * size, v + du * size], [u + dv * size, v - du * size]], 'jaw');
    return [segments([[u1, v1], [u2, v2]], 'contact'), jaw(u1, v1), jaw(u2, v2)];
  };
  const best = grasp.contacts.length ? jaws(grasp.contacts[0]) : [];
  const quality = grasp.qualities.length
    ? `contact pairs: ${grasp.qualities.map((value) => value.toFixed(2)).join(', ')}` : '';
  return panel('Grasp region', still(pictures, `grasp region: ${grasp.words}`,
    outline(pictures.answer, 'answer'), segments(grasp.corners, 'rectangle', true),
    segments(grasp.axis, 'axis'), ...best), grasp.words, quality);
}

function tokenStrip(pictures) {
  const tokens = pictures.tokens;
  if (!tokens) return [];
  const more = tokens.error ? `No maps: ${tokens.error}`
    : 'Each token of the whole expression by itself, each from 0 to 1.'
      + (tokens.more ? ` ${tokens.more} more tokens are not shown.` : '');
  return [
    make('h2', null, 'Attention of every token'),
    make('p', {class: 'note'}, more),
    make('div', {class: 'strip', tabindex: '0', role: 'region', 'aria-label': 'Tokens'},
      tokens.shown.map(([text, uri, root]) => make('figure', {class: root ? 'panel root' : 'panel'},
        still(pictures, `attention of ${text}`, heat(pictures, uri)),
        make('figcaption', null, make('b', null, text), root ? make('span', null, 'root') : null))))];
}

function candidateStrip(pictures) {
  const {shown, scored, all} = pictures.candidates;
  const figures = shown.map((each) => {
    const mark = each.chosen ? 'chosen' : each.rival ? 'fits about as well' : '';
    const scores = Object.entries(SCORES).filter(([name]) => name in each.scores).map(
      ([name, text]) => make('tr', null, make('th', {scope: 'row'}, text),
        make('td', null, each.scores[name].toFixed(3))));
    return make('figure', {class: each.chosen ? 'panel chosen' : 'panel'},
      still(pictures, `candidate mask, IoU ${fixed(each.iou, 2)}`, outline(each.path, 'answer')),
      make('figcaption', null, mark ? make('b', null, mark) : null,
        make('table', {class: 'scores'}, make('tbody', null, scores, make('tr', null,
          make('th', {scope: 'row'}, 'IoU'), make('td', null, fixed(each.iou, 3)))))));
  });
  return [
    make('h2', null, 'Candidate masks'),
    make('p', {class: 'note'}, `The best ${shown.length} of ${scored} that were scored, of ${all} `
      + 'proposals, best first.'),
    make('div', {class: 'candidates'}, figures)];
}
