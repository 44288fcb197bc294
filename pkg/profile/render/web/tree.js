// Trees of frames, and operations that make new trees: focus, invert, remove frames.

// Builder merges paths from the root into a tree. Node 0 is the root; parents have lower numbers than their children.
class Builder {
  // With other, nodes have a second value: of the other profile in a difference.
  constructor(rootFrame, other) {
    this.size = 1;
    this.parent = new Int32Array(1024);
    this.frame = new Int32Array(1024);
    this.self = new Float64Array(1024);
    this.inlined = new Uint8Array(1024);
    this.other = other ? new Float64Array(1024) : null;
    this.frame[0] = rootFrame;
    this.table = new Int32Array(4096);
  }
  // slot returns the place of a node in the hash table, or the free place for it.
  slot(parent, frame) {
    const mask = this.table.length - 1;
    let at = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b)) >>> 0;
    for (at = (at ^ at >>> 15) & mask; this.table[at]; at = (at + 1) & mask) {
      const n = this.table[at];
      if (this.parent[n] === parent && this.frame[n] === frame) break;
    }
    return at;
  }
  // child returns the child of a node for a frame. It adds new ones.
  child(parent, frame, inlined) {
    const at = this.slot(parent, frame), known = this.table[at];
    if (known) {
      if (!inlined) this.inlined[known] = 0;
      return known;
    }
    if (this.size === this.parent.length) this.grow();
    const n = this.size++;
    this.parent[n] = parent;
    this.frame[n] = frame;
    this.inlined[n] = inlined;
    this.table[at] = n;
    if (this.size * 2 > this.table.length) {
      this.table = new Int32Array(this.table.length * 4);
      for (let i = 1; i < this.size; i++) this.table[this.slot(this.parent[i], this.frame[i])] = i;
    }
    return n;
  }
  grow() {
    for (const column of ['parent', 'frame', 'self', 'inlined', 'other']) {
      if (!this[column]) continue;
      const larger = new this[column].constructor(this.size * 2);
      larger.set(this[column]);
      this[column] = larger;
    }
  }
  // finish returns the tree. Nodes are in depth-first order, siblings by rank or by weight; nodes without a value are left out.
  finish(rank, byWeight) {
    const n = this.size, total = this.self.slice(0, n), other = this.other && this.other.slice(0, n), first = new Int32Array(n), next = new Int32Array(n);
    for (let i = n - 1; i > 0; i--) {
      total[this.parent[i]] += total[i];
      if (other) other[this.parent[i]] += other[i];
    }
    const count = new Int32Array(rank.length + 1), order = new Int32Array(n);
    for (let i = 1; i < n; i++) count[rank[this.frame[i]] + 1]++;
    for (let i = 1; i < count.length; i++) count[i] += count[i - 1];
    for (let i = 1; i < n; i++) order[count[rank[this.frame[i]]]++] = i;
    for (let k = n - 2; k >= 0; k--) {
      const i = order[k], q = this.parent[i];
      if (total[i] === 0 && !(other && other[i])) continue;
      next[i] = first[q];
      first[q] = i;
    }
    if (byWeight) sortSiblings(first, next, total);
    return this.number(first, next, total, other);
  }
  number(first, next, total, other) {
    const n = this.size, t = new Tree(n, other);
    const place = new Int32Array(n);
    for (let at = 0, i = 0; ;) {
      place[at] = i;
      const q = at ? place[this.parent[at]] : -1;
      t.frame[i] = this.frame[at];
      t.parent[i] = q;
      t.depth[i] = at ? t.depth[q] + 1 : 0;
      t.self[i] = this.self[at];
      t.total[i] = total[at];
      if (other) {
        t.other[i] = other[at];
        t.otherSelf[i] = this.other[at];
      }
      t.inlined[i] = this.inlined[at];
      i++;
      if (first[at]) {
        at = first[at];
        continue;
      }
      while (at && !next[at]) {
        t.end[place[at]] = i;
        at = this.parent[at];
      }
      t.size = i;
      if (!at) break;
      t.end[place[at]] = i;
      at = next[at];
    }
    t.end[0] = t.size;
    t.place();
    return t;
  }
}

function sortSiblings(first, next, total) {
  for (let q = 0; q < first.length; q++) {
    if (!first[q] || !next[first[q]]) continue;
    const all = [];
    for (let i = first[q]; i; i = next[i]) all.push(i);
    all.sort((a, b) => total[b] - total[a]);
    first[q] = all[0];
    all.forEach((i, k) => { next[i] = all[k + 1] || 0; });
  }
}

// Tree stores the properties of its nodes as columns. Nodes are in depth-first order; the subtree of node i ends before end[i].
class Tree {
  constructor(n, other) {
    this.frame = new Int32Array(n);
    this.parent = new Int32Array(n);
    this.depth = new Int32Array(n);
    this.end = new Int32Array(n);
    this.self = new Float64Array(n);
    this.total = new Float64Array(n);
    this.start = new Float64Array(n);
    this.inlined = new Uint8Array(n);
    if (other) {
      this.other = new Float64Array(n);
      this.otherSelf = new Float64Array(n);
    }
    this.size = n;
  }
  place() {
    const next = new Float64Array(this.size);
    this.rows = 1;
    for (let i = 1; i < this.size; i++) {
      const q = this.parent[i];
      this.start[i] = next[i] = next[q];
      next[q] += this.total[i];
      if (this.depth[i] >= this.rows) this.rows = this.depth[i] + 1;
    }
  }
}

// baseTree merges the samples that pick selects, with the values of one type. Processes and threads are levels above the root if
// there are several. In a difference each node also has the value of the type that is not shown.
function baseTree(p, type, pick, byWeight) {
  const other = p.diff && p.values[p.diff.before + p.diff.after - type];
  const b = new Builder(p.all, other), { parent, location } = p.stacks, { first, frames, inlined } = p.locations, value = p.values[type];
  const groups = new Map(), several = p.pids.size > 1;
  if (p.plain && !other && !several && !p.threads && !byWeight) {
    const t = plainTree(p, value, pick);
    if (t) return t;
  }
  for (let i = 0; i < value.length; i++) {
    if ((value[i] === 0 && !(other && other[i])) || !pick(i)) continue;
    const set = p.sets[p.set[i]], key = (several ? set.pid : '') + '\n' + (p.threads ? set.thread : '');
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(i);
  }
  const made = new Int32Array(parent.length), by = new Int32Array(parent.length), path = [];
  let group = 0;
  for (const samples of groups.values()) {
    group++;
    const set = p.sets[p.set[samples[0]]];
    made[0] = 0;
    by[0] = group;
    if (several) made[0] = b.child(0, p.frame(printable(set.process) + (other ? '' : ' (' + set.pid + ')'), CONFIG.process, '', 0, '', ''), 0);
    if (p.threads) made[0] = b.child(made[0], p.frame(set.thread ? printable(set.thread) : '[unnamed thread]', CONFIG.thread, '', 0, ''), 0);
    for (const i of samples) {
      let at = p.node[i];
      for (; by[at] !== group; at = parent[at]) path.push(at);
      for (let node = made[at]; path.length; made[at] = node) {
        at = path.pop();
        by[at] = group;
        const l = location[at];
        for (let k = first[l]; k < first[l + 1]; k++) node = b.child(node, frames[k], inlined[k]);
      }
      b.self[made[p.node[i]]] += value[i];
      if (other) b.other[made[p.node[i]]] += other[i];
    }
  }
  return b.finish(ranks(p), byWeight);
}

// plainTree returns the embedded tree of locations as it is, or null if its siblings are not in the order of names or some nodes
// have no value.
function plainTree(p, value, pick) {
  const { parent, location } = p.stacks, n = parent.length, t = new Tree(n), last = new Int32Array(n).fill(-1), rank = ranks(p);
  t.frame[0] = p.all;
  t.parent[0] = -1;
  for (let i = 1; i < n; i++) {
    const q = parent[i], f = p.locations.frames[location[i]];
    if (rank[f] <= last[q]) return null;
    last[q] = rank[f];
    t.frame[i] = f;
    t.parent[i] = q;
    t.depth[i] = t.depth[q] + 1;
  }
  for (let i = 0; i < value.length; i++) if (pick(i)) t.self[p.node[i]] += value[i];
  t.total.set(t.self);
  for (let i = n - 1; i >= 0; i--) {
    if (!t.end[i]) t.end[i] = i + 1;
    if (!i) break;
    if (t.total[i] === 0) return null;
    const q = t.parent[i];
    t.total[q] += t.total[i];
    if (t.end[i] > t.end[q]) t.end[q] = t.end[i];
  }
  t.place();
  return t;
}

// ranks returns the rank of each frame in the order of names.
function ranks(p) {
  if (!p.ranks || p.ranks.length !== p.frames.length) {
    const order = p.frames.map((_, i) => i), f = p.frames;
    order.sort((a, b) => (f[a].name < f[b].name ? -1 : f[a].name > f[b].name ? 1 : f[a].kind - f[b].kind));
    p.ranks = new Int32Array(f.length);
    order.forEach((frame, rank) => { p.ranks[frame] = rank; });
  }
  return p.ranks;
}

// addOwn adds the own values of node i to a node of the builder.
function addOwn(b, at, t, i) {
  b.self[at] += t.self[i];
  if (b.other) b.other[at] += t.otherSelf[i];
}

// removeFrames removes the nodes that drop selects and, with recursion, direct recursive calls. Callees of a removed node become
// children of its parent.
function removeFrames(t, drop, recursion) {
  const b = new Builder(t.frame[0], t.other), made = new Int32Array(t.size);
  addOwn(b, 0, t, 0);
  for (let i = 1; i < t.size; i++) {
    const above = made[t.parent[i]], f = t.frame[i];
    made[i] = (drop && drop(i, f)) || (recursion && above && b.frame[above] === f) ? above : b.child(above, f, t.inlined[i]);
    addOwn(b, made[i], t, i);
  }
  return b;
}

// isWrapper reports whether a node only calls one other.
function isWrapper(t, i) {
  return i > 0 && t.self[i] === 0 && !(t.other && t.otherSelf[i]) && i + 1 < t.end[i] && t.end[i + 1] === t.end[i];
}

// focus keeps the stacks with a matching frame.
function focus(t, match) {
  const b = new Builder(t.frame[0], t.other), made = new Int32Array(t.size), inside = new Uint8Array(t.size);
  for (let i = 1; i < t.size; i++) {
    const q = t.parent[i];
    inside[i] = inside[q] || match[t.frame[i]];
    made[i] = b.child(made[q], t.frame[i], t.inlined[i]);
    if (inside[i]) addOwn(b, made[i], t, i);
  }
  return b;
}

// invert returns the tree of reversed stacks: the functions on top of the stacks at the root, above each its callers.
function invert(t) {
  const b = new Builder(t.frame[0], t.other);
  for (let i = 0; i < t.size; i++) {
    const other = t.other ? t.otherSelf[i] : 0;
    if (t.self[i] || other) addCallers(b, t, i, 0, t.self[i], other);
  }
  return b;
}

// addCallers adds the path from a node to the root, below node at of the builder, with the given values.
function addCallers(b, t, node, at, value, other) {
  for (; node > 0; node = t.parent[node]) at = b.child(at, t.frame[node], t.inlined[node]);
  b.self[at] += value;
  if (b.other) b.other[at] += other;
}

// sandwich merges all calls of a function and returns the trees of its callees and callers. Recursive calls count once.
function sandwich(t, frame) {
  const callees = new Builder(frame, t.other), callers = new Builder(frame, t.other), made = new Int32Array(t.size);
  for (let i = 1; i < t.size; i++) {
    if (t.frame[i] !== frame) continue;
    addCallers(callers, t, t.parent[i], 0, t.total[i], t.other ? t.other[i] : 0);
    made[i] = 0;
    addOwn(callees, 0, t, i);
    const end = t.end[i];
    for (let j = i + 1; j < end; j++) {
      made[j] = callees.child(made[t.parent[j]], t.frame[j], t.inlined[j]);
      addOwn(callees, made[j], t, j);
    }
    i = end - 1;
  }
  return { callees, callers };
}

// functionValues returns the values of each frame alone and with callees. A recursion counts once.
function functionValues(t, count, self = t.self, total = t.total) {
  const flat = new Float64Array(count), cum = new Float64Array(count), inside = new Int32Array(count);
  for (let i = 0; i < t.size; i++) {
    const f = t.frame[i];
    flat[f] += self[i];
    if (i >= inside[f]) {
      cum[f] += total[i];
      inside[f] = t.end[i];
    }
  }
  return { flat, cum };
}

// nodesByFrame returns the nodes sorted by frame: those of frame f are from first[f] to first[f + 1], exclusive.
function nodesByFrame(t, count) {
  const first = new Int32Array(count + 2), nodes = new Int32Array(t.size);
  for (let i = 0; i < t.size; i++) first[t.frame[i] + 2]++;
  for (let f = 2; f < first.length; f++) first[f] += first[f - 1];
  for (let i = 0; i < t.size; i++) nodes[first[t.frame[i] + 1]++] = i;
  return { first, nodes };
}

// indexNodes builds the index for search. It is called ahead, so that the first search is fast.
function indexNodes(t, count) { if (!t.places) t.places = nodesByFrame(t, count); }

// search returns the outermost nodes whose frames match, and the sums of their values, without counting nested ones twice. It visits
// only matching nodes.
function search(t, match) {
  indexNodes(t, match.length);
  const { first, nodes } = t.places, hits = [];
  let n = 0, inclusive = 0, self = 0, end = 0;
  for (let f = 0; f < match.length; f++) if (match[f]) n += first[f + 1] - first[f];
  const all = new Int32Array(n);
  n = 0;
  for (let f = 0; f < match.length; f++) {
    if (!match[f]) continue;
    all.set(nodes.subarray(first[f], first[f + 1]), n);
    n += first[f + 1] - first[f];
  }
  for (const i of all.sort()) {
    self += t.self[i];
    if (i < end) continue;
    hits.push(i);
    inclusive += t.total[i];
    end = t.end[i];
  }
  return { hits, inclusive, self };
}

// layoutBoxes lays out a tree with the node zoom at the full width, in pixels: its callers at the same width, and those of its
// callees that are at least as wide as least. Runs of narrower siblings are one box.
function layoutBoxes(t, zoom, width, least) {
  const all = [], scale = width / (t.total[zoom] || 1), left = t.start[zoom], limit = least / scale;
  for (let i = t.parent[zoom]; i >= 0; i = t.parent[i]) all.push({ node: i, smaller: 0, row: t.depth[i], x: 0, width, value: t.total[i], above: true });
  all.reverse();
  for (let i = zoom, end = t.end[zoom]; i < end;) {
    if (t.total[i] >= limit && (t.total[i] > 0 || i === zoom)) {
      all.push({ node: i, smaller: 0, row: t.depth[i], x: (t.start[i] - left) * scale, width: t.total[i] * scale, value: t.total[i] });
      i++;
      continue;
    }
    const first = i, q = t.parent[i];
    let value = 0;
    for (; i < end && t.parent[i] === q && t.total[i] < limit; i = t.end[i]) value += t.total[i];
    if (value > 0 && value >= limit) all.push({ node: first, smaller: i - first, row: t.depth[first], x: (t.start[first] - left) * scale, width: value * scale, value });
  }
  return all;
}
