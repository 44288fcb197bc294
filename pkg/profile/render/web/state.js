// App holds the state: filters, search, zoom, and the tree that results. A view draws it.

const LINK_LIMIT = 8000;
const EMPTY = { type: '', from: '', to: '', process: '', label: '', find: '', sandwich: '', focus: '', module: '', hide: '', 'hide-module': '', recursion: '', wrappers: '', inverted: '', weight: '', zoom: [] };

// How long matching an expression against all frames may take, in ms.
const MATCH_LIMIT = 3000;

// mayHang reports whether an expression may take very long to match a single name, because browsers match by trying all ways: one
// that repeats a group, refers back to one, repeats or leaves out more than three things, or has more than ten alternatives and a
// group.
function mayHang(expression) {
  const plain = expression.replace(/\\[^1-9k]/g, '.').replace(/\[[^\]]*\]/g, '.').replace(/\(\?/g, '(').replace(/([*+?}])\?/g, '$1');
  const count = (sign) => plain.split(sign).length - 1;
  return /\)[*+{]|\\/.test(plain) || count(/[*+?{]/) > 3 || (count('(') && count('|') > 10);
}

// Texts of a frame that expressions are matched against: the function's name; the path of the object file and the Go package.
const byFunction = (f) => (f.kind < CONFIG.process ? [f.name] : []);
const byModule = (f) => (f.kind < CONFIG.process ? [f.object].concat(f.file.endsWith('.go') ? [f.module] : []).filter((text) => text) : []);

class App {
  constructor(profile, view, root) {
    this.profile = profile;
    this.view = view;
    this.root = root;
    this.state = { ...EMPTY };
    this.hits = [];
    this.hit = -1;
    this.cache = {};
    this.selected = null;
    this.currentLayout = null;
  }

  // set changes the state, rebuilds the trees that depend on it and draws. After an error, such as an invalid expression, the state
  // is as before, and it returns false. The node that the path of the zoom stands for is given if known, and is selected.
  set(changes, node = -1) {
    const before = this.state;
    this.state = { ...before, ...changes };
    try {
      this.rebuild(node);
    } catch (e) {
      this.state = before;
      this.rebuild(-1);
      this.view.showStatus(e.message);
      return false;
    }
    this.selected = node < 0 ? null : { tree: this.tree, node: this.zoom };
    this.save();
    this.view.draw(this);
    if (this.selected) this.view.showStatus(this.describe(this.tree, this.zoom));
    const tree = this.tree;
    setTimeout(() => indexNodes(tree, this.profile.frames.length), 50);
    return true;
  }

  rebuild(node) {
    const s = this.state, p = this.profile;
    this.type = Math.max(0, p.types.findIndex((t) => t.type === (s.type || p.defaultType)));
    if (!s.type && !p.types.some((t) => t.type === p.defaultType)) this.type = p.types.length - 1;
    this.unit = p.types[this.type].unit;
    const key = JSON.stringify({ ...s, zoom: '', find: '' }), same = this.cache.shape === key;
    if (!same) {
      this.buildTree();
      this.cache.shape = key;
    }
    this.zoom = same && node >= 0 ? node : this.resolve(s.zoom);
    this.updateSearch(key);
  }

  // changed reports whether the inputs of a step differ from those of the last call.
  changed(step, on) {
    const key = JSON.stringify(on);
    if (this.cache[step] === key) return false;
    this.cache[step] = key;
    return true;
  }

  buildTree() {
    const s = this.state, p = this.profile, weight = !!s.weight;
    this.cache.shape = '';
    if (this.changed('base', [this.type, s.from, s.to, s.process, s.label, weight])) {
      const from = s.from === '' ? -Infinity : +s.from, to = s.to === '' ? Infinity : +s.to, timed = s.from !== '' || s.to !== '';
      this.base = baseTree(p, this.type, (i) =>
        (!timed || (p.time[i] > 0 && p.time[i] - 1 >= from && p.time[i] - 1 < to)) && (s.process === '' || String(p.sets[p.set[i]].pid) === s.process) && (s.label === '' || p.sets[p.set[i]].labels.includes(s.label)), weight);
    }
    let t = this.base;
    const finish = (b) => b.finish(ranks(p), weight);
    // The order is the same as in pkg/profile/filter.
    if (s.focus) t = finish(focus(t, this.matching(s.focus, byFunction)));
    if (s.module) t = finish(focus(t, this.matching(s.module, byModule)));
    const drop = s.hide && this.matching(s.hide, byFunction), module = s['hide-module'] && this.matching(s['hide-module'], byModule);
    if (drop || module || s.recursion) t = finish(removeFrames(t, (_, f) => (drop && drop[f]) || (module && module[f]), !!s.recursion));
    if (s.wrappers) { const source = t; t = finish(removeFrames(t, (i) => isWrapper(source, i), false)); }
    if (s.inverted && !s.sandwich) t = finish(invert(t));
    this.whole = t.total[0];
    this.wholeOther = t.other ? t.other[0] : 0;
    this.callers = null;
    if (s.sandwich) {
      const frame = this.frameNamed(t, s.sandwich);
      if (frame < 0) throw new Error('no function is named ' + s.sandwich);
      const both = sandwich(t, frame);
      t = finish(both.callees);
      this.callers = finish(both.callers);
    }
    this.tree = t;
  }

  // matching returns a flag for each frame: whether a text of it matches. Expressions in lower case ignore case.
  matching(expression, texts = (f) => [f.name]) {
    let re;
    try {
      re = new RegExp(expression, expression === expression.toLowerCase() ? 'i' : '');
    } catch (e) {
      throw new Error('not a regular expression: ' + expression);
    }
    const end = performance.now() + MATCH_LIMIT;
    return Uint8Array.from(this.profile.frames, (f, i) => {
      if (performance.now() > end) throw new Error('matching takes too long: ' + expression);
      return i !== this.profile.all && texts(f).some((text) => re.test(text)) ? 1 : 0;
    });
  }

  frameNamed(t, name) {
    const { cum } = functionValues(t, this.profile.frames.length);
    let best = -1;
    this.profile.frames.forEach((f, i) => { if (f.name === name && cum[i] > 0 && (best < 0 || cum[i] > cum[best])) best = i; });
    return best;
  }

  name(t, node) { return this.profile.frames[t.frame[node]].name; }

  stack(t, node) {
    const names = [];
    for (let i = node; i > 0 || (i === 0 && this.callers); i = t.parent[i]) names.push(this.name(t, i));
    return t === this.callers ? names : names.reverse();
  }

  path(node) {
    const names = [];
    for (let i = node; i > 0; i = this.tree.parent[i]) names.push(this.name(this.tree, i));
    return names.reverse();
  }

  // resolve returns the node whose callers' names end with the path: the one at the depth of the path, else the widest.
  resolve(path) {
    const t = this.tree;
    let best = 0, exact = false;
    if (!path.length) return 0;
    for (let i = 1; i < t.size; i++) {
      let at = i, k = path.length - 1;
      while (k >= 0 && at > 0 && this.name(t, at) === path[k]) {
        at = t.parent[at];
        k--;
      }
      if (k >= 0) continue;
      if (at === 0 && !exact) [best, exact] = [i, true];
      else if (!exact && t.total[i] > (best ? t.total[best] : 0)) best = i;
    }
    return best;
  }

  updateSearch(shape) {
    const s = this.state;
    if (!this.changed('find', [shape, s.find])) return;
    this.matches = null;
    this.hits = [];
    this.hit = -1;
    if (!s.find) return;
    this.cache.find = '';
    this.matches = this.matching(s.find);
    this.found = search(this.tree, this.matches);
    this.hits = this.found.hits;
    this.changed('find', [shape, s.find]);
  }

  // summary returns the result of the search: the number of places and their shares.
  summary() {
    const f = this.found, all = this.tree.total[0];
    if (!this.matches) return '';
    return '“' + this.state.find + '”: ' + f.hits.length + (f.hits.length === 1 ? ' place, ' : ' places, ') + share(f.inclusive, all) + ' with what they call, ' + share(f.self, all) + ' of their own' +
      (this.hit >= 0 ? ' · ' + (this.hit + 1) + ' of ' + f.hits.length + ': ' + this.describe(this.tree, f.hits[this.hit]) : '');
  }

  // step selects the next or previous match, and zooms in if it would be too narrow.
  step(by) {
    if (!this.hits.length) return this.view.showStatus(this.state.find ? this.summary() : 'No search: press / to start one');
    this.hit = (this.hit + by + this.hits.length + (this.hit < 0 && by < 0 ? 1 : 0)) % this.hits.length;
    const node = this.hits[this.hit], t = this.tree, inside = node >= this.zoom && node < t.end[this.zoom];
    if (!inside || t.total[node] / t.total[this.zoom] < 0.01) {
      if (t.total[node] > 0) this.set({ zoom: this.path(node) }, node);
    }
    this.select(t, node);
    this.view.showStatus(this.summary());
  }

  describe(t, node, smaller, value) {
    const f = this.profile.frames[t.frame[node]], zoom = this.tree.total[this.zoom];
    if (smaller) return '(' + smaller + ' smaller) · ' + quantity(value, this.unit) + ', ' + share(value, this.whole) + ' of all: zoom in to see them';
    if (this.profile.diff) return [f.name, this.changeText(this.changeOf(t, node)), f.file ? f.file + (f.line > 0 ? ':' + f.line : '') : ''].filter((part) => part).join(' · ');
    const parts = [f.name + (t.inlined[node] ? ' (inlined)' : ''), CONFIG.words[f.kind] || '', quantity(t.total[node], this.unit) + ', ' + share(t.total[node], this.whole) + ' of all'];
    if (this.zoom) parts.push(share(t.total[node], zoom) + ' of the zoomed');
    parts.push('own ' + share(t.self[node], this.whole));
    if (f.file) parts.push(f.file + (f.line > 0 ? ':' + f.line : ''));
    return parts.join(' · ');
  }

  fill(t, node) { return this.profile.diff ? changeFill(this.profile.diff, this.changeOf(t, node)) : colorOf(this.profile.frames[t.frame[node]]); }

  changeOf(t, node) { return this.change(t.total[node], t.other[node]); }

  // change returns [before, after] for the value that is shown and the other one.
  change(shown, other) { return this.type === this.profile.diff.after ? [other, shown] : [shown, other]; }

  changeText([before, after]) {
    const d = this.profile.diff, sum = this.change(this.whole, this.wholeOther), delta = after - before * d.scale;
    const amount = (v, of) => quantity(v, this.unit) + ' (' + share(v, of) + ')', sign = delta > 0 ? '+' : '';
    const by = !isSignificant(d, [before, after]) ? 'within the noise of sampling' : before === 0 ? 'new' : after === 0 ? 'removed' : sign + (d.shares ? share(delta, sum[1]) : quantity(Math.round(delta), this.unit));
    return 'before ' + amount(before, sum[0]) + ', after ' + amount(after, sum[1]) + ': ' + by;
  }

  select(t, node) {
    this.selected = { tree: t, node };
    this.view.draw(this);
    this.view.showStatus(this.describe(t, node));
  }

  // layout returns the boxes to draw, each with its line, counted from the top. Frames narrower than least pixels are joined with
  // their neighbours. The layout is kept until tree, zoom or width change.
  layout(width, rootBelow, least) {
    const key = [this.tree, this.zoom, this.callers, width];
    if (!this.currentLayout || key.some((part, i) => part !== this.currentLayout.key[i])) this.currentLayout = { key, ...this.place(width, rootBelow, least) };
    return this.currentLayout;
  }

  place(width, rootBelow, least) {
    const t = this.tree, down = layoutBoxes(t, this.zoom, width, least);
    const up = this.callers ? layoutBoxes(this.callers, 0, width, least).slice(1) : [];
    const highest = (all) => all.reduce((rows, b) => Math.max(rows, b.row), 0);
    const above = highest(up), below = highest(down);
    for (const b of up) [b.tree, b.line] = [this.callers, above - b.row];
    for (const b of down) [b.tree, b.line] = [t, this.callers || !rootBelow ? above + b.row : below - b.row];
    return { boxes: up.concat(down), lines: above + below + 1 };
  }

  // notes describes the filters and the zoom, or returns ''.
  notes() {
    const s = this.state, parts = [];
    for (const key of ['label', 'sandwich', 'focus', 'module', 'hide', 'hide-module', 'find']) if (s[key]) parts.push(key + ' ' + s[key]);
    for (const key of ['recursion', 'wrappers', 'inverted']) if (s[key]) parts.push(key);
    if (s.weight) parts.push('by weight');
    if (s.from !== '' || s.to !== '') parts.push('from ' + (s.from || 0) + ' to ' + (s.to || 'the end of') + ' ms');
    if (this.zoom) parts.push('zoomed to ' + this.name(this.tree, this.zoom) + ', ' + share(this.tree.total[this.zoom], this.whole) + ' of all');
    return parts.length ? parts.join(' · ') + ' · 0 zooms out, Escape resets' : '';
  }

  // openBox zooms to a box that was clicked, or to the caller of a run of narrow frames.
  openBox(b) {
    if (!b.tree.total[b.node]) return this.view.showStatus(this.describe(b.tree, b.node) + ' · t shows the other side');
    if (b.tree !== this.tree) return this.set({ sandwich: this.name(b.tree, b.node), zoom: [] });
    const above = b.tree.parent[b.node], node = b.smaller && above !== this.zoom ? above : b.node;
    return this.set({ zoom: this.path(node) }, node);
  }

  // save updates the link after drawing, because that is slow in browsers.
  save() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.saveLink());
  }

  // saveLink puts the state into the fragment of the URL. If that gets too long, only the end of the zoom's path.
  saveLink() {
    const link = () => {
      const q = new URLSearchParams();
      for (const [key, value] of Object.entries(this.state)) {
        if (key === 'zoom') zoom.forEach((name) => q.append('zoom', name));
        else if (value) q.set(key, value);
      }
      return q.toString();
    };
    let zoom = this.state.zoom, text = link();
    while (text.length > LINK_LIMIT && zoom.length > 1) {
      zoom = zoom.slice(Math.ceil(zoom.length / 8));
      text = link();
    }
    if (!this.root || text.length > LINK_LIMIT) return;
    this.link = text;
    try {
      history.replaceState(null, '', text ? '#' + text : location.pathname + location.search);
    } catch (e) {
      // Sandboxed pages have no history.
    }
  }

  restore() {
    if (!this.root) return this.set({});
    const text = location.hash.slice(1), q = new URLSearchParams(text), state = { ...EMPTY };
    if (this.link === text && this.tree) return true;
    if (text.length <= LINK_LIMIT) {
      for (const key of Object.keys(EMPTY)) {
        if (key === 'zoom') state.zoom = q.getAll('zoom');
        else if (q.has(key)) state[key] = q.get(key);
      }
    }
    const refused = ['find', 'focus', 'module', 'hide', 'hide-module'].filter((key) => mayHang(state[key]));
    for (const key of refused) state[key] = '';
    const done = this.set(state) || this.set({ ...EMPTY });
    if (refused.length) this.view.showStatus('Not applied, because an expression in the address may hang the page: ' + refused.join(', ') + '. Type it to use it.');
    return done;
  }
}
