// The operator page: what is asked, what is answered, what is shown, in two modes. 'find' shows what
// a text means in the picture; 'do' gives orders (follow.js). All text from the robot is set as text,
// never as markup.

import { Following } from './follow.js';
import { Link } from './link.js';
import { drawAnswer, drawAttention, drawOptions, drawPicture, markNear } from './picture.js';

const byId = (id) => document.getElementById(id);
// A picture is old from here on, or from three times the last answer's latency.
const OLD_MS = 2000;
const WORDS = {
  do: ['What should the robot do?', 'put the red can on the plate', 'Do it'],
  find: ['What should the robot find?', 'the mug behind the red box', 'Ask'],
};
const OF_FOLLOWER = ['order', 'answer', 'stop', 'cancel', 'resume', 'put_back'];
const MOODS = { FOUND: 'found', AMBIGUOUS: 'ambiguous', NOT_FOUND: 'plain' };

const now = {
  said: '', answer: null, answeredAt: 0, pictureAt: null, chosen: null, state: null, link: 'lost',
  mode: 'find', picked: false, size: null,
};
// For tests and for those who measure.
window.refdiff = { pictures: 0, answers: 0, now };

function setText(id, text) {
  // Unchanged text stays, so that screen readers do not say it again.
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

function boxIou(a, b) {
  const wide = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const high = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(wide, 0) * Math.max(high, 0);
  return shared / (a[2] * a[3] + b[2] * b[3] - shared);
}

// The place of the region that was chosen, among those of the newest answer.
function chosenPlace() {
  if (!now.chosen || !now.answer) return -1;
  const shares = now.answer.candidates.map((c) => boxIou(c.box, now.chosen.box));
  const best = Math.max(0, ...shares);
  return best > 0.5 ? shares.indexOf(best) : -1;
}

// The grasp to show: that of the region that was chosen, while it is there.
function shownGrasp() {
  if (!now.answer) return null;
  return chosenPlace() >= 0 ? now.chosen.grasp : now.answer.grasp;
}

function graspWords() {
  const grasp = shownGrasp();
  if (!grasp || !now.answer.candidates.length) return grasp ? grasp.words : '';
  const { candidates } = now.answer;
  const shown = candidates[chosenPlace()] || candidates.find((c) => c.best) || candidates[0];
  return `region ${shown.number}: ${grasp.words}`;
}

function redraw() {
  if (now.mode === 'do') {
    redrawWork();
    return;
  }
  const shows = { mask: byId('show-mask').checked, grasp: byId('show-grasp').checked };
  byId('attention').hidden = !byId('show-attention').checked;
  drawAnswer(now.answer, shows.mask, shows.grasp && shownGrasp(), chosenPlace(), choose);
}

// In mode 'do': the regions that a question is about, or what has just been found, while the robot
// still stands.
function redrawWork() {
  byId('attention').hidden = true;
  const { question } = following;
  const looking = following.now && following.now.state === 'GROUNDING';
  if (question) drawOptions(question.options, now.answer, now.size, (id) => following.choose(id));
  else drawAnswer(looking ? now.answer : null, byId('show-mask').checked, null, -1, () => {});
}

function choose(place) {
  const candidate = now.answer && now.answer.candidates[place];
  if (!candidate) return;
  if (!link.send({ do: 'choose', point: candidate.point, box: candidate.box })) {
    done(false, 'not connected: nothing was chosen');
  }
}

function done(ok, text) {
  setText('done', text);
  byId('done').classList.toggle('error', !ok);
}

function candidateText(candidate) {
  const { probability } = candidate;
  const fits = typeof probability === 'number' ? `fits ${Math.round(100 * probability)} %` : '';
  return [`${candidate.number}. ${candidate.description || 'this region'}`, fits];
}

// Buttons are kept from answer to answer, so that the focus stays where it is.
function listCandidates() {
  const list = byId('candidates');
  const candidates = now.answer ? now.answer.candidates : [];
  while (list.children.length > candidates.length) list.lastChild.remove();
  while (list.children.length < candidates.length) {
    const place = list.children.length;
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.append(document.createElement('span'), document.createElement('span'));
    button.addEventListener('click', () => choose(place));
    for (const [kind, near] of [['mouseenter', 1], ['focus', 1], ['mouseleave', 0], ['blur', 0]]) {
      button.addEventListener(kind, () => markNear(place, Boolean(near)));
    }
    item.append(button);
    list.append(item);
  }
  candidates.forEach((candidate, place) => {
    const button = list.children[place].firstChild;
    const [name, score] = candidateText(candidate);
    button.children[0].textContent = name;
    button.children[1].textContent = score;
    button.classList.toggle('chosen', place === chosenPlace());
  });
  list.hidden = candidates.length === 0;
}

function tellAnswer() {
  const { answer, state } = now;
  const silence = state ? state.silence : '';
  const idle = silence.startsWith('no standing expression');
  const word = answer ? answer.status : 'WAITING';
  setText('status', word.replace('_', ' '));
  byId('card').className = `card for-find ${answer ? MOODS[word] || 'failed' : ''}`;
  let reason = now.said ? 'The question is asked; the answer is under way.' : '';
  if (answer) reason = answer.carried ? `${answer.reason} (carried on to this picture)` : answer.reason;
  else if (idle) reason = now.said ? reason : 'Type what the robot should find.';
  else if (silence) reason = silence;
  setText('reason', answer && !answer.standing ? `${reason} (a call: "${answer.expression}")` : reason);
  byId('instead').hidden = !(answer && answer.order && following.known);
  setText('question', answer && answer.question ? answer.question : '');
  byId('question').hidden = !(answer && answer.question);
  setText('grasp', graspWords());
  const trouble = Boolean(answer && silence && !idle && silence.indexOf(answer.reason) < 0);
  setText('silence', trouble ? silence : '');
  byId('silence').hidden = !trouble;
  // What the line on the grasp says already is not said twice.
  const words = answer && answer.grasp ? answer.grasp.words : '';
  const notes = (answer ? answer.notes : []).filter(
    (note) => !words.includes(note.slice(note.indexOf(': ') + 2)));
  if (byId('notes').dataset.shown !== notes.join('\n')) {
    byId('notes').dataset.shown = notes.join('\n');
    byId('notes').replaceChildren(...notes.map((note) => {
      const item = document.createElement('li');
      item.textContent = note;
      return item;
    }));
  }
  if (!answer || !answer.carried) {  // what a full answer took
    setText('latency', answer ? `${Math.round(answer.latency_ms)} ms` : '–');
    setText('model', answer ? `${Math.round(answer.model_ms)} ms` : '–');
  }
  listCandidates();
}

function tellAge() {
  if (now.pictureAt === null) return;
  const age = performance.now() - now.pictureAt;
  const old = age > Math.max(OLD_MS, now.answer ? 3 * now.answer.latency_ms : 0);
  setText('frame-age', `${(age / 1000).toFixed(age < 10000 ? 1 : 0)} s`);
  byId('frame-age').classList.toggle('old', old);
  byId('stage').classList.toggle('stale', now.link === 'lost');
  const overlaid = byId('overlay').childElementCount > 0;
  const behind = overlaid && now.answer && now.answer.picture ? now.pictureAt - now.answeredAt : 0;
  let text = '';
  if (now.link === 'lost') text = 'connection lost: this picture is old';
  else if (behind > 50) text = `overlay ${(behind / 1000).toFixed(1)} s older than the picture`;
  else if (old) text = 'no newer picture comes';
  setText('age', text);
}

async function picture(head, parts) {
  await drawPicture(parts[0], head.size);
  now.size = head.size;
  now.pictureAt = performance.now() - head.age_ms;
  window.refdiff.pictures += 1;
}

async function answer(head, parts) {
  if (head.picture) await picture(head, parts);
  await drawAttention(head.attention ? parts[1] : null);
  // An answer may come after its question was changed or cleared.
  if (head.standing ? head.expression !== now.said : now.said) return;
  now.answer = head;
  now.answeredAt = performance.now() - head.age_ms;
  window.refdiff.answers += 1;
  redraw();
  tellAnswer();
  tellAge();
}

function said(text) {
  if (text !== now.said) {
    now.chosen = null;
    done(true, '');
    now.answer = null;
    drawAttention(null);
  }
  now.said = text;
  setText('said', text);
  byId('said').hidden = !text;
  byId('unsaid').hidden = Boolean(text);
  redraw();
  tellAnswer();
}

function state(values) {
  now.state = values;
  setText('node', values.node);
  setText('models', values.models);
  setText('images', `${values.images_hz} Hz`);
  setText('answers', `${values.answers_hz} Hz`);
  setText('memory', `${values.memory_mb} MB`);
  tellAnswer();
}

const link = new Link({
  open() {
    now.link = 'open';
    setText('link', 'connected');
    byId('link').className = 'pill open';
    look();
  },
  lost(seconds) {
    now.link = 'lost';
    setText('link', seconds > 1 ? 'connection lost, trying again' : 'connection lost');
    byId('link').className = 'pill lost';
    tellAge();
  },
  text(message) {
    if (message.what === 'follow') following.state(message);
    else if (message.what === 'orders') following.orders(message);
    else if (message.what === 'state') state(message);
    else if (message.what === 'said') said(message.text);
    else if (message.what === 'done' && OF_FOLLOWER.includes(message.for)) following.done(message);
    else if (message.what === 'done') {
      if (message.for === 'choose' && message.ok) now.chosen = message;
      if (message.for !== 'say' || !message.ok) done(message.ok, message.text);
      redraw();
      tellAnswer();
    }
  },
  picture: (head, parts) => (head.what === 'answer' ? answer : picture)(head, parts),
});

function look() {
  link.send({
    do: 'look', live: byId('show-live').checked || now.mode === 'do',
    attention: byId('show-attention').checked && now.mode === 'find',
  });
  redraw();
}

function say(text) {
  if (!link.send({ do: 'say', text })) done(false, 'not connected: the robot was not asked');
}

function setMode(mode) {
  const changed = mode !== now.mode;
  now.mode = mode;
  document.body.dataset.mode = mode;
  byId(`mode-${mode}`).checked = true;
  tellMode();
  if (changed) look();
}

// What the box is for, in this mode and with what is asked now.
function tellMode() {
  const [label, hint, send] = following.question && now.mode === 'do'
    ? ['Your answer', 'the left one', 'Answer'] : WORDS[now.mode];
  setText('text-label', label);
  byId('text').placeholder = hint;
  setText('send', send);
  byId('clear').hidden = now.mode === 'do';
}

const following = new Following((message) => link.send(message), () => {
  // With somebody to give orders to, the page is for orders, until its user wants it otherwise.
  if (!now.picked) setMode(following.now.link === 'open' && !now.said ? 'do' : now.mode);
  if (!following.known) setMode('find');
  tellMode();
  redraw();
  tellAnswer();
}, (text) => {
  byId('text').value = text;
  byId('text').focus();
});
window.refdiff.following = following;

for (const mode of ['do', 'find']) {
  byId(`mode-${mode}`).addEventListener('change', () => {
    now.picked = true;
    setMode(mode);
  });
}
byId('instead').addEventListener('click', () => {
  now.picked = true;
  setMode('do');
  following.say(now.answer.expression);
});
byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const { value } = byId('text');
  if (now.mode === 'find') say(value);
  else if (following.say(value)) byId('text').value = '';
});
byId('clear').addEventListener('click', () => {
  byId('text').value = '';
  byId('text').focus();
  say('');
});
for (const name of ['mask', 'attention', 'grasp', 'live']) {
  byId(`show-${name}`).addEventListener('change', look);
}
// Where the dock is fixed to the window's edge, the page ends above it.
new ResizeObserver(([dock]) => {
  document.body.style.setProperty('--dock', `${Math.ceil(dock.target.offsetHeight) + 12}px`);
}).observe(byId('dock'));
setInterval(tellAge, 200);
