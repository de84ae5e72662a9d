// The table of all cases: sorted and searched as columns of numbers, drawn a piece at a time.

const PIECE = 100;
const CASE = '#case/';

function cellOf(run, row, column) {
  return row === null ? null : run[column][row];
}

function textOf(run, row, column) {
  return row === null ? '' : run[column].values[run[column].codes[row]];
}

function tagOf(run, row, name) {
  const tag = row === null ? undefined : run.tags[name];
  return tag === undefined ? '' : tag.values[tag.codes[row]];
}

class CaseTable {
  // `pairs` are row numbers of the runs; `pictures` by row number of the first one.
  constructor(data) {
    this.runs = data.runs;
    this.pictures = data.pictures;
    this.pairs = data.pairs || data.runs[0].id.map((_, row) => [row, null]);
    this.columns = this.makeColumns();
    this.sorted = {column: null, down: false};
    this.texts = null;
    this.drawn = 0;
    this.box = document.getElementById('rows');
    this.head = this.box.querySelector('thead');
    this.body = this.box.querySelector('tbody');
    this.more = document.getElementById('more');
    this.search = document.getElementById('search');
    this.filter = document.getElementById('filter');
    this.listen();
    this.drawHead();
    this.update();
  }

  first(index) { return this.pairs[index][0]; }

  second(index) { return this.pairs[index][1]; }

  // The run and the row that a case is told by: the first run's, where it has the case.
  source(index) {
    const [first, second] = this.pairs[index];
    return first === null ? [this.runs[1], second] : [this.runs[0], first];
  }

  id(index) {
    const [run, row] = this.source(index);
    return run.id[row];
  }

  // The address of a case within the page.
  link(index) { return CASE + encodeURIComponent(this.id(index)); }

  expression(index) {
    const [run, row] = this.source(index);
    return run.expression[row];
  }

  iou(index, which) {
    return which < this.runs.length ? cellOf(this.runs[which], this.pairs[index][which], 'iou') : null;
  }

  difference(index) {
    const [first, second] = [this.iou(index, 0), this.iou(index, 1)];
    return first === null || second === null ? null : second - first;
  }

  pictured(index) { return this.first(index) !== null && this.first(index) in this.pictures; }

  failed(index) {
    return this.runs.some((run, which) => this.pairs[index][which] in run.error);
  }

  makeColumns() {
    const number = (title, value, digits, wide) => (
      {title, value, wide, number: true, text: (index) => fixed(value(index), digits)});
    const word = (title, value, wide) => ({title, value, wide, text: value});
    const of = (column) => (index) => cellOf(this.runs[0], this.first(index), column);
    const columns = [{title: 'Expression', value: (index) => this.expression(index), link: true}];
    if (this.runs.length > 1) {
      columns.push(
        word('Status A', (index) => textOf(this.runs[0], this.first(index), 'status'), true),
        word('Status B', (index) => textOf(this.runs[1], this.second(index), 'status'), true),
        number('IoU A', (index) => this.iou(index, 0), 3),
        number('IoU B', (index) => this.iou(index, 1), 3),
        {title: 'B less A', number: true, value: (index) => this.difference(index),
          text: (index) => signed(this.difference(index))});
      return columns;
    }
    const tags = Object.keys(this.runs[0].tags).slice(0, 3);
    columns.push(
      number('IoU', (index) => this.iou(index, 0), 3),
      word('Status', (index) => textOf(this.runs[0], this.first(index), 'status')),
      ...tags.map((name) => word(name, (index) => tagOf(this.runs[0], this.first(index), name), true)),
      number('Best proposal', of('oracle'), 3, true), number('Pointing', of('pointing'), 0, true),
      number('ms', of('ms'), 0, true));
    return columns;
  }

  listen() {
    const named = [['all', 'all cases'], ['pictures', 'with pictures'], ['errors', 'with an error'],
      ['missed', 'IoU below 0.5']];
    this.filter.append(...named.map(([value, text]) => make('option', {value}, text)));
    this.search.addEventListener('input', () => this.update());
    this.filter.addEventListener('change', () => this.update());
    this.more.addEventListener('click', () => this.drawPiece());
    this.box.addEventListener('scroll', () => {
      const left = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
      if (left < 400) this.drawPiece();
    });
  }

  drawHead() {
    const cells = this.columns.map((column) => {
      const mark = make('span', {class: 'mark', 'aria-hidden': 'true'}, ' ↕');
      const button = make('button', {type: 'button', click: () => this.sortBy(column)},
        column.title, mark);
      column.head = make('th', {scope: 'col', class: this.kind(column)}, button);
      column.mark = mark;
      return column.head;
    });
    this.head.replaceChildren(make('tr', null, cells));
  }

  kind(column) {
    return [column.number ? 'number' : '', column.wide ? 'wide' : ''].join(' ').trim() || null;
  }

  // Another click turns the order round. Numbers begin with the lowest: the worst cases.
  sortBy(column) {
    this.sorted = {column, down: this.sorted.column === column && !this.sorted.down};
    for (const each of this.columns) {
      const chosen = each === column;
      if (chosen) each.head.setAttribute('aria-sort', this.sorted.down ? 'descending' : 'ascending');
      else each.head.removeAttribute('aria-sort');
      each.mark.textContent = chosen ? (this.sorted.down ? ' ▼' : ' ▲') : ' ↕';
    }
    this.update();
  }

  update() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) this.readTexts();
    this.order = [...this.pairs.keys()].filter((index) => this.shows(index)
      && words.every((word) => this.texts[index].includes(word)));
    if (this.sorted.column) this.sort();
    this.drawn = 0;
    this.body.replaceChildren();
    this.box.scrollTop = 0;
    const [some, all] = [this.order.length, this.pairs.length];
    document.getElementById('count').textContent = some === all
      ? `${all.toLocaleString('en')} cases`
      : `${some.toLocaleString('en')} of ${all.toLocaleString('en')} cases`;
    this.drawPiece();
  }

  shows(index) {
    const chosen = this.filter.value;
    if (chosen === 'pictures') return this.pictured(index);
    if (chosen === 'errors') return this.failed(index);
    if (chosen !== 'missed') return true;
    return this.runs.some((_, which) => this.iou(index, which) !== null && this.iou(index, which) < 0.5);
  }

  sort() {
    const {column, down} = this.sorted;
    const values = new Map(this.order.map((index) => [index, column.value(index)]));
    const turn = down ? -1 : 1;
    const compare = column.number ? (a, b) => a - b : new Intl.Collator('en').compare;
    this.order.sort((a, b) => {
      const [first, second] = [values.get(a), values.get(b)];
      // What has no value comes last, whichever way round.
      if (first === null || second === null) return (first === null) - (second === null) || a - b;
      return turn * compare(first, second) || a - b;
    });
  }

  readTexts() {
    if (this.texts) return;
    this.texts = this.pairs.map((_, index) => {
      const parts = [];
      this.runs.forEach((run, which) => {
        const row = this.pairs[index][which];
        if (row === null) return;
        parts.push(run.id[row], run.expression[row], textOf(run, row, 'image'),
          textOf(run, row, 'status'), run.error[row] || '',
          ...Object.keys(run.tags).map((name) => tagOf(run, row, name)));
      });
      return parts.join(' ').toLowerCase();
    });
  }

  drawPiece() {
    const end = Math.min(this.drawn + PIECE, this.order.length);
    const rows = this.order.slice(this.drawn, end).map((index) => this.drawRow(index));
    if (!this.order.length) {
      rows.push(make('tr', null, make('td', {colspan: this.columns.length}, 'No case is like that.')));
    }
    if (this.drawn < end || !this.order.length && !this.body.children.length) this.body.append(...rows);
    this.drawn = end;
    this.more.hidden = end === this.order.length;
    this.more.textContent = `Show more rows (${end.toLocaleString('en')} of `
      + `${this.order.length.toLocaleString('en')} are shown)`;
  }

  drawRow(index) {
    return make('tr', null, this.columns.map((column) => {
      const kind = this.kind(column);
      if (!column.link) return make('td', {class: kind}, column.text(index));
      const mark = this.pictured(index)
        ? make('span', {class: 'pictured', title: 'with pictures'}, 'pictures') : null;
      return make('th', {scope: 'row', class: kind},
        make('a', {href: this.link(index)}, this.expression(index) || '(empty)'), ' ', mark);
    }));
  }
}
