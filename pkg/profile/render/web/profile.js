// Decodes the embedded profile. pkg/profile/render/embed describes its columns.

// Reader reads varints. Numbers above 2^53 lose precision. Only addresses are that large, and they are skipped.
class Reader {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  uint() {
    let byte = this.bytes[this.at++], value = byte & 127, factor = 128;
    while (byte > 127) {
      byte = this.bytes[this.at++];
      value += (byte & 127) * factor;
      factor *= 128;
    }
    return value;
  }
  int() {
    const v = this.uint();
    return v % 2 ? -(v + 1) / 2 : v / 2;
  }
  skip(n) { while (n-- > 0) this.uint(); }
  // uints has a fast path for numbers of one byte, which are the most common, and always returns the same type of array.
  uints(n) {
    const bytes = this.bytes, into = new Float64Array(n);
    let at = this.at;
    for (let i = 0; i < n; i++) {
      const byte = bytes[at++];
      if (byte < 128) {
        into[i] = byte;
        continue;
      }
      this.at = at - 1;
      into[i] = this.uint();
      at = this.at;
    }
    this.at = at;
    return into;
  }
  ints(n) {
    const into = this.uints(n);
    for (let i = 0; i < n; i++) into[i] = into[i] % 2 ? -(into[i] + 1) / 2 : into[i] / 2;
    return into;
  }
  deltas(n, step) {
    const into = this.ints(n);
    for (let i = 0, last = 0; i < n; i++) into[i] = last += into[i] + step;
    return into;
  }
  strings() {
    const lengths = this.uints(this.uint()), decoder = new TextDecoder();
    return Array.from(lengths, (n) => decoder.decode(this.bytes.subarray(this.at, this.at += n)));
  }
}

const HEADER = 56;

// load finds the embedded profile under an element and decodes it.
async function load(root) {
  const text = root.querySelector('[data-role=profile]').textContent;
  const raw = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  await check(raw);
  const stream = new Blob([raw.subarray(HEADER)]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return decode(new Uint8Array(await new Response(stream).arrayBuffer()));
}

// check verifies version, length and, where the browser provides crypto, digest.
async function check(raw) {
  const header = new TextDecoder().decode(raw.subarray(0, 8)), version = /^kpprof([1-9])\n$/.exec(header);
  if (!version) throw new Error('it has no header');
  if (version[1] > CONFIG.version) throw new Error('it was made by a newer version of kubectl pprof');
  const view = new DataView(raw.buffer), length = raw.length < HEADER ? -1 : Number(view.getBigUint64(8, true));
  if (length !== raw.length - HEADER) throw new Error('it was cut off');
  if (!globalThis.crypto || !crypto.subtle) return;
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', raw.subarray(HEADER)));
  if (sum.some((byte, i) => byte !== raw[24 + i])) throw new Error('it was changed');
}

function decode(bytes) {
  const r = new Reader(bytes), strings = r.strings(), text = () => strings[r.uint()], p = {};
  r.skip(1);
  p.duration = r.int();
  r.skip(1);
  if (r.uint()) r.skip(2);
  p.defaultType = text();
  r.skip(3);
  p.comments = Array.from({ length: r.uint() }, text);
  p.types = Array.from({ length: r.uint() }, () => ({ type: printable(text()), unit: printable(text()) }));
  const mappings = Array.from({ length: r.uint() }, () => {
    r.skip(4);
    const file = text();
    r.skip(6);
    return file;
  });
  const functions = r.uint();
  const names = r.deltas(functions, 1);
  r.skip(functions);
  const files = r.deltas(functions, 0), starts = r.deltas(functions, 0);
  decodeLocations(r, p, (fn) => strings[names[fn]], (fn) => strings[files[fn]], starts, mappings);
  decodeSamples(r, p, text);
  return p;
}

// decodeLocations decodes the frames of each location, outermost call first. Equal frames have the same number.
function decodeLocations(r, p, name, file, starts, mappings) {
  const n = r.uint();
  const mapping = r.deltas(n, 0);
  r.skip(2 * n);
  const counts = r.uints(n), lines = counts.reduce((a, b) => a + b, 0);
  const fns = r.deltas(lines, 0), numbers = r.ints(lines), last = new Map(); // last line of each function
  for (let i = 0; i < lines; i++) {
    const fn = fns[i], before = last.has(fn) ? last.get(fn) : fn ? starts[fn - 1] : 0;
    last.set(fn, numbers[i] += before);
    if (numbers[i] < 0) throw new Error('it has negative line numbers');
  }
  r.skip(lines);
  const kinds = r.uints(lines);
  const frames = [], known = new Map();
  const frame = (name, kind, file, line, module, object) => {
    const key = kind + name;
    if (!known.has(key)) {
      known.set(key, frames.length);
      frames.push({ name, kind, file, line, module, object });
    }
    return known.get(key);
  };
  p.frame = frame;
  p.all = frame('all', CONFIG.process, '', 0, '');
  const first = new Int32Array(n + 1), all = [], inlined = [];
  for (let l = 0, line = 0; l < n; l++) {
    const object = mapping[l] ? mappings[mapping[l] - 1] : '';
    for (let i = counts[l] - 1; i >= 0; i--) {
      const fn = fns[line + i] - 1;
      if (fn < 0) continue;
      all.push(frame(printable(shortName(name(fn), file(fn))), kinds[line + i], file(fn), numbers[line + i], moduleOf(name(fn), file(fn), base(object)), object));
      inlined.push(i < counts[l] - 1 ? 1 : 0);
    }
    if (!counts[l]) {
      all.push(frame('[' + printable(base(object) || 'unknown') + ']', CONFIG.native, '', 0, base(object), object));
      inlined.push(0);
    }
    line += counts[l];
    first[l + 1] = all.length;
  }
  p.frames = frames;
  // The frames of location l are those from first[l] to first[l + 1], exclusive.
  p.locations = { n, first, frames: Int32Array.from(all), inlined: Uint8Array.from(inlined) };
  // If each location has one frame and all are different, the tree of locations is also that of frames.
  p.plain = first.every((at, l) => at === l) && frames.length === n + 1;
}

function decodeSamples(r, p, text) {
  const nodes = r.uint();
  const up = r.uints(nodes), location = new Int32Array(nodes + 1), parent = new Int32Array(nodes + 1);
  for (let i = 1; i <= nodes; i++) {
    let at = i - 1;
    for (let k = up[i - 1]; k > 0; k--) at = parent[at];
    parent[i] = at;
  }
  const added = r.ints(r.uint()), ranks = r.uints(nodes), lists = [];
  location[0] = p.locations.n;
  for (let i = 1, k = 0; i <= nodes; i++) {
    const caller = location[parent[i]], list = lists[caller] || (lists[caller] = []), rank = ranks[i - 1];
    if (rank) {
      location[i] = list[rank - 1];
      continue;
    }
    location[i] = (list.length ? list[list.length - 1] : caller) + added[k++];
    list.push(location[i]);
  }
  const sets = Array.from({ length: r.uint() }, () => {
    const set = { process: 'process', pid: 0, thread: '', labels: [] };
    for (let labels = r.uint(); labels > 0; labels--) {
      const key = text();
      if (r.uint()) {
        const values = Array.from({ length: r.uint() }, () => r.int());
        r.skip(r.uint());
        if (key === CONFIG.labels.pid) set.pid = values[0];
      } else {
        const values = Array.from({ length: r.uint() }, text);
        if (key === CONFIG.labels.process) set.process = values[0];
        if (key === CONFIG.labels.thread) set.thread = values[0];
        if (key !== CONFIG.labels.process) for (const v of values) set.labels.push(printable(key) + '=' + printable(v));
      }
    }
    return set;
  });
  const n = r.uint();
  p.stacks = { parent, location };
  p.sets = sets;
  p.node = new Int32Array(r.deltas(n, 0));
  p.set = new Int32Array(r.uints(n));
  p.time = r.deltas(n, 0);
  p.timed = p.time.some((t) => t > 0);
  p.values = [];
  for (let t = 0; t < p.types.length; t++) {
    const like = r.uint(), factor = r.int(), column = like ? p.values[like - 1].slice() : r.ints(n);
    for (let i = 0; i < n; i++) column[i] *= factor;
    p.values.push(column);
  }
  p.pids = new Map();
  for (const s of sets) p.pids.set(s.pid, printable(s.process) + ' (' + s.pid + ')');
  p.threads = p.comments.includes(CONFIG.comments.byThread);
  p.labels = [...new Set(sets.flatMap((s) => s.labels))].sort();
  p.diff = difference(p);
}

// difference returns how to compare the two sides of a profile that pkg/profile/diff has written, else null: the indices of their
// values, what one sample of each stands for, and the factor by which values before are multiplied for the comparison.
function difference(p) {
  const comment = p.comments.find((c) => c.startsWith(CONFIG.comments.quanta));
  const quanta = comment && /^before (\S+), after (\S+)$/.exec(comment.slice(CONFIG.comments.quanta.length));
  if (!quanta) return null;
  const [before, after] = ['before', 'after'].map((name) => p.types.findIndex((t) => t.type === name)), sum = (i) => p.values[i].reduce((a, b) => a + b, 0);
  if (before < 0 || after < 0) return null;
  const shares = p.comments.includes(CONFIG.comments.asShares), totals = [sum(before), sum(after)];
  return { before, after, shares, quantum: [+quanta[1], +quanta[2]], scale: shares && totals[0] && totals[1] ? totals[1] / totals[0] : 1 };
}
