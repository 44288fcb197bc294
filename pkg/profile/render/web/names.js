// Names, numbers and colours, the same as in pkg/profile/render: label.go, frame.go, color.go, text.go.

// printable replaces control characters and characters that change the direction of text.
function printable(s) {
  return s.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, '\ufffd');
}

function base(path) { return path.slice(path.lastIndexOf('/') + 1); }

// shortName removes the type arguments of generic Go functions.
function shortName(name, file) {
  const open = name.indexOf('['), end = name.lastIndexOf(']');
  return open <= 0 || end < open || !file.endsWith('.go') ? name : name.slice(0, open) + '[...]' + name.slice(end + 1);
}

// moduleOf returns the package of a Go function, or the object file of any other.
function moduleOf(name, file, object) {
  if (!file.endsWith('.go')) return object;
  const head = name.split(/[[(]/, 1)[0], slash = head.lastIndexOf('/') + 1, dot = head.indexOf('.', slash);
  return dot < 0 ? head : head.slice(0, dot);
}

// fit shortens a name to a width in pixels: it drops template arguments first, then characters on the left.
function fit(name, width) {
  const room = Math.floor((width - 6) / CONFIG.char);
  if (room < 3) return '';
  if (name.length <= room) return name;
  const runes = Array.from(withoutTemplateArguments(name).replaceAll('[...]', ''));
  return runes.length <= room ? runes.join('') : '…' + runes.slice(runes.length - room + 1).join('');
}

// fitSmaller returns the label of n frames that are drawn as one: in full, the number alone, or ''.
function fitSmaller(n, width) { return ['(' + n + ' smaller)', '(' + n + ')'].find((label) => fit(label, width) === label) || ''; }

function withoutTemplateArguments(name) {
  let out = '', depth = 0;
  for (let i = 0; i < name.length; i++) {
    const c = name[i], before = name.slice(0, i);
    if (c === '<' && (depth > 0 || (/[\p{L}\p{N}_:]$/u.test(before) && !before.endsWith('operator')))) {
      if (depth++ === 0) out += '‹…›';
    } else if (c === '>' && depth > 0 && name[i - 1] !== '-') depth--;
    else if (depth === 0) out += c;
  }
  return depth > 0 ? name : out;
}

const encoder = new TextEncoder();

// hash returns the 32-bit FNV-1a hash.
function hash(text) {
  let h = 0x811c9dc5;
  for (const byte of encoder.encode(text)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}

// colorOf returns the colour of a frame. Its kind and name select it, and for dependencies its module.
function colorOf(frame) {
  if (!frame.color) {
    const all = CONFIG.palette[frame.kind] || CONFIG.palette[0], shades = CONFIG.palette[0].length;
    let at = hash(frame.name) % shades;
    if (all.length > shades) {
      const path = moduleOf(frame.name, '.go', '').split('/');
      at += shades * (hash(path.slice(0, /^(github\.com|gitlab\.com|bitbucket\.org|golang\.org)$/.test(path[0]) ? 3 : 2).join('/')) % (all.length / shades));
    }
    frame.color = all[at];
  }
  return frame.color;
}

const SECONDS = { nanoseconds: 1e-9, microseconds: 1e-6, milliseconds: 1e-3, seconds: 1 };
const TIMES = [[1, 's'], [1e-3, 'ms'], [1e-6, 'µs'], [1e-9, 'ns']];
const BYTES = [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'B']];

function quantity(value, unit) {
  const time = SECONDS[unit], steps = time ? TIMES : BYTES, scaled = time ? value * time : value;
  if (unit === 'count') return String(value);
  if (!time && unit !== 'bytes') return value + ' ' + unit;
  if (value === 0) return '0';
  const [size, name] = steps.find(([size]) => Math.abs(scaled) >= size * 0.999995) || steps[steps.length - 1];
  return (scaled / size).toFixed(name === 'B' || name === 'ns' ? 0 : 2) + name;
}

function share(part, whole) { return (whole ? 100 * part / whole : 0).toFixed(2) + '%'; }

// isSignificant reports whether a change is larger than two profiles of the same program would differ by chance, as in
// pkg/profile/diff.
function isSignificant(d, [before, after]) {
  const delta = after - before * d.scale, variance = Math.abs(after) * d.quantum[1] + Math.abs(before) * d.quantum[0] * d.scale * d.scale;
  return delta !== 0 && delta * delta > 9 * variance;
}

// changeFill returns the colour of a change.
function changeFill(d, [before, after]) {
  const c = CONFIG.change, delta = after - before * d.scale;
  if (!isSignificant(d, [before, after])) return c.same;
  if (before === 0) return c.fresh;
  const strength = 0.2 + 0.8 * Math.min(1, 2 * Math.abs(delta) / Math.max(after, before * d.scale));
  return '#' + (delta > 0 ? c.more : c.less).map((v) => Math.round(255 + (v - 255) * strength).toString(16).padStart(2, '0')).join('');
}
