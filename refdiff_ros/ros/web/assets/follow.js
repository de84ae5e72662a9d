// What the node that follows orders does: plan, question, hand, history; and what is said to it.
// All text from the robot is set as text, never as markup.

const byId = (id) => document.getElementById(id);
const STATES = {
  IDLE: 'ready', READING: 'reading', GROUNDING: 'looking', ASKING: 'asks', CONFIRMING: 'asks',
  APPROACHING: 'moving', GRASPING: 'gripping', LIFTING: 'lifting', CARRYING: 'carrying',
  PLACING: 'placing', OFFERING: 'offering', POINTING: 'pointing', VERIFYING: 'checking',
  RETREATING: 'going back', STOPPED: 'stopped',
};
const STEPS = { OPEN: '', RUNNING: 'now', DONE: 'done', REFUSED: 'refused', FAILED: 'failed',
  LEFT_OUT: 'not done' };
const OUTCOMES = { '': 'under way', DONE: 'done', NOT_READ: 'not understood', REFUSED: 'refused',
  FAILED: 'failed', CANCELLED: 'cancelled', STOPPED: 'stopped', TIMEOUT: 'out of time' };
const MOODS = { DONE: 'found', STOPPED: 'failed', FAILED: 'failed', REFUSED: 'ambiguous',
  NOT_READ: 'ambiguous', TIMEOUT: 'ambiguous', CANCELLED: 'ambiguous' };
const LINKS = { none: 'no follower', silent: 'follower silent' };

function setText(id, text) {
  // Unchanged text stays, so that screen readers do not say it again.
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

function make(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// Rows are made anew only where their text has changed, so that the focus stays where it is.
function fill(list, rows, key, element) {
  const wanted = JSON.stringify(rows.map(key));
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...rows.map(element));
}

export class Following {
  // send(message) -> whether it went out; changed() after each change; use(text) fills the box.
  constructor(send, changed, use) {
    this.send = send;
    this.changed = changed;
    this.use = use;
    this.now = null;
    this.askedAt = 0;
    byId('stop').addEventListener('click', () => this.stop());
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.known) this.stop();
    });
    byId('resume').addEventListener('click', () => this.tell({ do: 'resume' }));
    byId('put-back').addEventListener('click', () => this.tell({ do: 'put_back' }));
    byId('cancel').addEventListener('click', () => this.tell({ do: 'cancel' }));
    setInterval(() => this.tellTime(), 500);
  }

  // Whether there is, or was, a node to give orders to.
  get known() { return Boolean(this.now && (this.now.link !== 'none' || this.now.state)); }

  get question() { return this.now && this.now.link !== 'none' ? this.now.question : null; }

  get busy() { return Boolean(this.now && this.now.state && this.now.link !== 'none'
    && !['IDLE', 'STOPPED'].includes(this.now.state)); }

  tell(message) {
    if (this.send(message)) return true;
    this.done({ ok: false, text: 'not connected: nothing was sent' });
    return false;
  }

  stop() {
    byId('stop').classList.add('pressed');
    setTimeout(() => byId('stop').classList.remove('pressed'), 400);
    if (!this.send({ do: 'stop' })) {
      this.done({ ok: false,
        text: "Not connected: the stop did not reach the robot. Use the robot's emergency stop." });
    }
  }

  // An answer while a question is open, else an order.
  say(text) {
    if (!text.trim()) return false;
    const question = this.question;
    this.done({ ok: true, text: '' });
    return this.tell(question ? { do: 'answer', id: question.id, text } : { do: 'order', text });
  }

  choose(option) {
    const question = this.question;
    if (!question) return;
    this.tell(question.kind === 'WHICH_ONE' && typeof option === 'number'
      ? { do: 'answer', id: question.id, option } : { do: 'answer', id: question.id, text: option });
  }

  // What became of what was said.
  done({ ok, text, for: verb }) {
    const quiet = ok && ['order', 'answer'].includes(verb);
    setText('told', quiet ? '' : text);
    byId('told').classList.toggle('error', !ok);
  }

  state(values) {
    const before = this.question && this.question.id;
    this.now = values;
    if (this.question) this.askedAt = performance.now();
    if (this.question && this.question.id !== before) setText('told', '');
    this.tellLink();
    this.tellWork();
    this.tellQuestion();
    this.changed();
  }

  tellLink() {
    const { link, state, name } = this.now;
    byId('controls').hidden = !this.known;
    byId('follower').hidden = !this.known;
    setText('follower', LINKS[link] || `robot ${STATES[state] || 'ready'}`);
    byId('follower').className = `pill ${link === 'open' && state !== 'STOPPED' ? 'open' : 'lost'}`;
    byId('follower').title = name;
  }

  tellWork() {
    const { link, state, order, note, plan, holding, outcome, name } = this.now;
    const there = link === 'open';
    const word = there ? (outcome && state !== 'STOPPED' ? OUTCOMES[outcome] : STATES[state]) : LINKS[link];
    setText('work-state', (word || 'ready').toUpperCase());
    let mood = this.busy ? 'busy' : MOODS[outcome] || '';
    if (!there || state === 'STOPPED') mood = 'failed';
    if (there && this.question) mood = 'ambiguous';
    byId('work').className = `card for-do ${mood}`;
    setText('work-order', order ? `\u201c${order}\u201d` : '');
    byId('work-order').hidden = !order;
    let said = this.question ? '' : note;
    if (link === 'none') said = `The node '${name}' is gone: nothing follows orders now.`;
    if (link === 'silent') said = `Nothing is heard of '${name}' while an order runs.`;
    setText('work-note', said || (order ? '' : 'Type what the robot should do.'));
    const row = (step) => {
      const item = make('li', '', step.status.toLowerCase());
      item.append(make('span', step.text, 'what'), make('span', STEPS[step.status], 'became'));
      if (['FAILED', 'REFUSED'].includes(step.status)) item.append(make('p', step.reason, 'soft'));
      return item;
    };
    fill(byId('plan'), plan || [], (step) => [step.text, step.status, step.reason], row);
    setText('hand', state ? (holding ? `In the hand: ${holding}` : 'The hand is empty.') : '');
    byId('hand').classList.toggle('full', Boolean(holding));
    byId('stopped').hidden = !(there && state === 'STOPPED');
    byId('put-back').textContent = holding ? 'Put it back, go home' : 'Go home';
    byId('cancel').hidden = !this.busy;
  }

  tellQuestion() {
    const question = this.question;
    byId('asked').hidden = !question;
    if (!question) return;
    setText('asked-text', question.text);
    const rows = question.kind === 'YES_NO'
      ? [{ label: 'Yes', say: 'yes' }, { label: 'No', say: 'no' }]
      : [...question.options, { label: 'None of these', say: 'none of them' }];
    fill(byId('options'), rows, (option) => [question.id, option.label, option.probability],
      (option) => this.optionRow(option));
    this.tellTime();
  }

  optionRow(option) {
    const item = document.createElement('li');
    const button = make('button', '', option.say ? 'plain' : '');
    button.type = 'button';
    if (option.id) button.append(make('span', option.id, 'mark'));
    button.append(make('span', option.label, 'what'));
    if (typeof option.probability === 'number') {
      button.append(make('span', `fits ${Math.round(100 * option.probability)} %`, 'soft'));
    }
    button.addEventListener('click', () => this.choose(option.say || option.id));
    item.append(button);
    return item;
  }

  tellTime() {
    const question = this.question;
    if (!question) return;
    const left = Math.max(question.left_s - (performance.now() - this.askedAt) / 1000, 0);
    const tries = question.tries > 1 ? '' : ' This is the last try.';
    setText('asked-left', `Click, or type below. Waits ${Math.ceil(left)} s.${tries}`);
  }

  orders({ orders }) {
    byId('no-orders').hidden = orders.length > 0;
    const row = (order) => {
      const item = document.createElement('li');
      const again = make('button', order.text, 'again');
      again.type = 'button';
      again.title = 'Put it into the box again';
      again.addEventListener('click', () => this.use(order.text));
      const at = new Date(order.at_s * 1000).toLocaleTimeString([],
        { hour: '2-digit', minute: '2-digit' });
      item.append(make('span', at, 'soft time'), again, make('span', OUTCOMES[order.outcome],
        `became ${MOODS[order.outcome] || 'plain'}`));
      if (order.outcome && order.outcome !== 'DONE') item.append(make('p', order.reason, 'soft'));
      return item;
    };
    fill(byId('orders'), orders, (order) => [order.number, order.outcome], row);
  }
}
