// Draws pictures on the canvases and the answer over them. Coordinates are pixels of the image.

const SVG = 'http://www.w3.org/2000/svg';
const byId = (id) => document.getElementById(id);

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Pixel centres lie at whole numbers; in the drawing a pixel spans one unit.
const middle = (x) => x + 0.5;

function path(outlines, closed = true) {
  return outlines.map((flat) => {
    const points = [];
    for (let k = 0; k < flat.length; k += 2) {
      points.push(`${middle(flat[k])} ${middle(flat[k + 1])}`);
    }
    return `M${points.join('L')}${closed ? 'Z' : ''}`;
  }).join('');
}

function line(points, kind, closed) {
  const d = path([points.flat()], closed);
  return [element('path', { d, class: `line ${kind} casing` }),
    element('path', { d, class: `line ${kind}` })];
}

export async function drawPicture(data, size) {
  const bitmap = await createImageBitmap(new Blob([data], { type: 'image/jpeg' }));
  const canvas = byId('picture');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  byId('stage').style.aspectRatio = `${size[0]} / ${size[1]}`;
  byId('overlay').setAttribute('viewBox', `0 0 ${size[0]} ${size[1]}`);
  byId('empty').hidden = true;
}

export async function drawAttention(data) {
  const canvas = byId('attention');
  if (!data) {
    canvas.width = 1;
    return;
  }
  const bitmap = await createImageBitmap(new Blob([data], { type: 'image/png' }));
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
}

// grasp is the one to draw, or null; choose(place) is called for a click on a candidate.
export function drawAnswer(answer, mask, grasp, chosen, choose) {
  const drawn = [];
  if (answer && mask && !answer.candidates.length && answer.mask.length) {
    const d = path(answer.mask);
    drawn.push(element('path', { d, class: 'line casing' }),
      element('path', { d, class: 'line mask' }));
  }
  const candidates = [...(answer ? answer.candidates : []).entries()];
  for (const [place, candidate] of candidates.toReversed()) { // the best on top
    const region = element('path', {
      d: path(candidate.outline), 'data-place': place,
      class: `line candidate${place === chosen ? ' chosen' : ''}`,
    });
    region.addEventListener('click', () => choose(place));
    drawn.push(region);
  }
  if (answer && grasp && grasp.valid) drawn.push(...graspLines(grasp, answer.size));
  for (const [place, candidate] of candidates) {
    const number = element('text', {
      x: middle(candidate.point[0]), y: middle(candidate.point[1]), class: 'number',
      'font-size': answer.size[1] / 16,
    });
    number.textContent = candidate.number;
    drawn.push(number);
  }
  byId('overlay').replaceChildren(...drawn);
}

// The regions of a question to a person: as outlined in the answer that is behind it, else by their
// boxes; choose(id) is called for a click.
export function drawOptions(options, answer, size, choose) {
  const drawn = [];
  const boxes = options.filter((option) => option.box);
  const area = (option) => option.box[2] * option.box[3];
  for (const option of boxes.toSorted((a, b) => area(b) - area(a))) { // the smallest on top
    const region = shape(option.box, answer);
    region.setAttribute('class', 'line candidate');
    region.addEventListener('click', () => choose(option.id));
    drawn.push(region);
  }
  for (const { id, box: [x, y, width, height] } of boxes) {
    const number = element('text', {
      x: x + width / 2, y: y + height / 2, class: 'number', 'font-size': (size ? size[1] : 480) / 14,
    });
    number.textContent = id;
    drawn.push(number);
  }
  byId('overlay').replaceChildren(...drawn);
}

function shape(box, answer) {
  const same = answer && answer.candidates.find(
    (candidate) => candidate.box.every((side, k) => Math.abs(side - box[k]) <= 2));
  if (same) return element('path', { d: path(same.outline) });
  const [x, y, width, height] = box;
  return element('rect', { x, y, width, height, rx: 3 });
}

function graspLines({ corners, axis, contacts }, size) {
  const drawn = [...line(corners, 'rectangle', true), ...line(axis, 'axis', false)];
  if (contacts) {
    const [[u1, v1], [u2, v2]] = contacts;
    const length = Math.hypot(u2 - u1, v2 - v1) || 1;
    const half = Math.min(size[1] / 24, length);
    const [du, dv] = [-(v2 - v1) / length * half, (u2 - u1) / length * half];
    drawn.push(...line(contacts, 'closing', false));
    for (const [u, v] of contacts) {
      drawn.push(...line([[u - du, v - dv], [u + du, v + dv]], 'contact', false));
    }
  }
  return drawn;
}

export function markNear(place, near) {
  for (const region of byId('overlay').querySelectorAll('.candidate')) {
    region.classList.toggle('near', near && Number(region.dataset.place) === place);
  }
}
