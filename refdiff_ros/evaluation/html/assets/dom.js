'use strict';
// Elements are only ever made here, and texts are only ever set as text: an expression may hold
// markup, and must not become any.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function make(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fixed(value, digits) {
  return value === null || value === undefined ? '-' : value.toFixed(digits);
}

function signed(value) {
  return value === null ? '-' : (value > 0 ? '+' : '') + value.toFixed(3);
}

// What one picture of a case consists of: the still, and outlines over it.

function still(pictures, label, ...layers) {
  const [width, height] = pictures.size;
  return draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label},
    draw('image', {href: pictures.still, width, height, preserveAspectRatio: 'none'}), ...layers);
}

function heat(pictures, uri) {
  const [width, height] = pictures.size;
  return draw('image', {href: uri, width, height, preserveAspectRatio: 'none', class: 'heat'});
}

function outline(path, kind) {
  if (!path) return null;
  return draw('g', {class: kind},
    draw('path', {d: path, class: 'casing'}), draw('path', {d: path, class: 'line'}));
}

function segments(points, kind, close) {
  return outline('M' + points.map((point) => point.join(' ')).join('L') + (close ? 'z' : ''), kind);
}
