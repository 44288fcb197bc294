// Draws the flame graph in a page, on a canvas of the size of the viewport, which scrolls. Tables and controls are DOM elements.

const make = (name, attributes, ...children) => {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
};
const ROWS = 200;
const STRIP = 44;

class Page {
  constructor(profile, still) {
    this.detail = make('p', { 'data-role': 'detail', role: 'status', 'aria-live': 'polite' });
    this.notes = make('p', { 'data-role': 'note' });
    this.canvas = make('canvas', { 'data-role': 'frames' });
    this.spacer = make('div', { 'data-role': 'height' }, this.canvas);
    this.scroller = make('div', { 'data-role': 'scroller', tabindex: '0', role: 'application', 'aria-label': 'Flame graph; arrow keys move, Enter zooms, ? lists the keys' }, this.spacer);
    this.rows = make('tbody', {});
    this.bar = make('nav', { 'aria-label': 'Controls' });
    this.dialog = make('dialog', { 'data-role': 'dialog' });
    const head = make('tr', {});
    for (const column of ['own', 'with callees', 'function']) {
      const button = make('button', {}, column);
      button.addEventListener('click', () => { this.sort = column; this.table(this.app); });
      head.append(make('th', { scope: 'col' }, button));
    }
    const table = make('details', { 'data-role': 'table' }, make('summary', {}, 'Functions'), make('table', {}, make('thead', {}, head), this.rows));
    table.addEventListener('toggle', () => this.table(this.app));
    this.functions = table;
    this.sort = 'own';
    this.hint = 'Every frame is in the file: click to zoom, / to search, ? for more. Callers above, callees below; inlined calls are slanted.';
    const view = make('main', { 'data-role': 'app' }, this.bar);
    if (profile.timed) view.append(this.makeStrip());
    view.append(this.detail, this.notes, this.scroller, table, this.dialog);
    still.replaceWith(view);
  }

  start(app) {
    this.app = app;
    for (const [key, label, act, what] of ACTIONS.filter((a) => a[1])) {
      const b = make('button', { title: what + ' (' + key + ')' }, label);
      b.addEventListener('click', () => act(app));
      this.bar.append(b);
    }
    const p = app.profile, button = make('button', { 'data-role': 'theme', title: 'dark or light' }, 'Theme');
    button.addEventListener('click', () => {
      const html = document.documentElement, dark = html.dataset.theme ? html.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
      html.dataset.theme = dark ? 'light' : 'dark';
      this.draw(app);
    });
    this.bar.append(button);
    if (p.types.length > 1) this.choice('type', 'Value', p.types.map((t) => [t.type, t.type]));
    if (p.pids.size > 1) this.choice('process', 'Process', [['', 'all']].concat([...p.pids].map(([pid, name]) => [String(pid), name])));
    if (p.labels.length > 0 && p.labels.length <= 500) this.choice('label', 'Label', [['', 'all']].concat(p.labels.map((l) => [l, l.length > 60 ? l.slice(0, 60) + '…' : l])));
    const frames = this.scroller;
    frames.addEventListener('click', (e) => { const b = this.boxAt(e); if (b) app.openBox(b); });
    frames.addEventListener('mousemove', (e) => {
      const b = this.boxAt(e);
      this.canvas.style.cursor = b ? 'pointer' : 'default';
      if (b) this.showDetail(app.describe(b.tree, b.node, b.smaller, b.value));
    });
    frames.addEventListener('mouseleave', () => this.showStatus(app.summary()));
    frames.addEventListener('scroll', () => this.paint(app));
    window.addEventListener('resize', () => this.draw(app));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw(app));
    window.addEventListener('keydown', (e) => { if (!this.dialog.open) handleKey(app, e, false); });
  }

  choice(key, label, options) {
    const select = make('select', { 'data-role': key }, ...options.map(([value, text]) => make('option', { value }, text)));
    select.addEventListener('change', () => { this.app.set({ [key]: select.value, zoom: [] }); });
    this.bar.append(make('label', {}, label + ' ', select));
    this[key] = select;
  }

  boxAt(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, line = Math.floor((event.clientY - box.top + this.scroller.scrollTop) / CONFIG.row);
    return this.layout && (this.lines[line] || []).find((b) => x >= b.x && x < b.x + b.width);
  }

  draw(app) {
    const size = window.innerWidth + ' ' + window.innerHeight;
    if (!this.layout || size !== this.size || app.layout(this.width, false, 0.5) !== this.layout) this.fitWindow(app);
    this.size = size;
    this.reveal(app);
    this.paint(app);
    if (this.type) this.type.value = app.profile.types[app.type].type;
    for (const key of ['process', 'label']) if (this[key]) this[key].value = app.state[key];
    this.notes.textContent = app.notes();
    this.showStatus(app.summary());
    this.table(app);
    if (this.strip) this.drawStrip(app);
  }

  // fitWindow lays out the boxes for the size of the window. It is slow in browsers, so it is called only after a change.
  fitWindow(app) {
    const room = window.innerHeight - this.scroller.getBoundingClientRect().top - window.scrollY - 40;
    this.spacer.style.height = '0';
    this.scroller.style.height = Math.max(200, room) + 'px';
    this.width = Math.max(200, this.scroller.clientWidth);
    const layout = this.layout = app.layout(this.width, false, 0.5);
    this.lines = [];
    for (const b of layout.boxes) (this.lines[b.line] = this.lines[b.line] || []).push(b);
    this.spacer.style.height = layout.lines * CONFIG.row + 'px';
    this.scroller.style.height = Math.min(Math.max(200, room), layout.lines * CONFIG.row) + 'px';
  }

  // reveal scrolls to the selected frame, or to the middle of a sandwich.
  reveal(app) {
    const chosen = app.selected ? this.layout.boxes.find((b) => b.tree === app.selected.tree && b.node === app.selected.node) : null;
    const line = chosen ? chosen.line : app.callers ? this.layout.boxes.find((b) => b.tree === app.tree).line : -1;
    const top = line * CONFIG.row, s = this.scroller;
    if (line >= 0 && (top < s.scrollTop || top + CONFIG.row > s.scrollTop + s.clientHeight)) s.scrollTop = Math.max(0, top - s.clientHeight / 2);
  }

  // paint draws the visible lines.
  paint(app) {
    const s = this.scroller, scale = window.devicePixelRatio || 1, width = Math.max(200, s.clientWidth), height = Math.max(CONFIG.row, s.clientHeight);
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.canvas.style.width = width + 'px';
      this.canvas.style.height = height + 'px';
    }
    const g = this.canvas.getContext('2d'), first = Math.floor(s.scrollTop / CONFIG.row), last = Math.ceil((s.scrollTop + height) / CONFIG.row);
    this.used = {}; // current styles of the canvas; unknown after a change of its size
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, width, height);
    for (let line = first; line <= last; line++) {
      for (const b of this.lines[line] || []) this.paintBox(app, g, b, line * CONFIG.row - s.scrollTop);
    }
  }

  // paintBox draws a box. It sets only styles that differ from the current ones, because setting them is slow.
  paintBox(app, g, b, y) {
    const frame = b.tree.frame[b.node], hit = app.matches && app.matches[frame] && !b.smaller;
    this.setStyle(g, 'globalAlpha', b.above ? 0.6 : 1);
    this.setStyle(g, 'fillStyle', b.smaller ? CONFIG.smaller : hit ? '#7b2fd6' : app.fill(b.tree, b.node));
    g.fillRect(b.x, y, b.width > 0.8 ? b.width - 0.5 : 0.3, CONFIG.row - 1);
    const label = b.width < 26 ? '' : b.smaller ? fitSmaller(b.smaller, b.width) : fit(app.profile.frames[frame].name, b.width);
    if (label) {
      this.setStyle(g, 'globalAlpha', 1);
      this.setStyle(g, 'font', (b.tree.inlined[b.node] && !b.smaller ? 'italic ' : '') + '12px monospace');
      this.setStyle(g, 'fillStyle', hit ? '#ffffff' : '#000000');
      g.fillText(label, b.x + 3, y + 12);
    }
    if (app.selected && app.selected.tree === b.tree && app.selected.node === b.node && !b.smaller) {
      g.strokeStyle = '#7b2fd6';
      g.lineWidth = 2;
      g.strokeRect(b.x + 1, y + 1, Math.max(b.width - 2, 2), CONFIG.row - 3);
    }
  }

  setStyle(g, what, value) { if (this.used[what] !== value) g[what] = this.used[what] = value; }

  showDetail(text) { this.detail.textContent = text; }
  showStatus(text) { this.showDetail(text || this.hint); }

  // table lists the functions in the tree, or during a search those that match. For a difference it lists the significant changes
  // by size.
  table(app) {
    if (!this.functions.open) return;
    const t = app.tree, n = app.profile.frames.length, f = app.profile.frames, d = app.profile.diff;
    let { flat, cum } = functionValues(t, n), text = (v) => share(v, app.whole), size = (v) => v, shown = (i) => cum[i] > 0;
    if (d) {
      const other = functionValues(t, n, t.otherSelf, t.other), both = (mine, theirs) => Array.from(mine, (v, i) => app.change(v, theirs[i])), delta = ([a, b]) => b - a * d.scale;
      [flat, cum, text, size] = [both(flat, other.flat), both(cum, other.cum), (c) => app.changeText(c), (c) => (isSignificant(d, c) ? Math.abs(delta(c)) : 0)];
      shown = (i) => size(flat[i]) > 0 || size(cum[i]) > 0;
    }
    const all = f.map((_, i) => i).filter((i) => shown(i) && i !== app.profile.all && (!app.matches || app.matches[i]));
    const by = { own: (a, b) => size(flat[b]) - size(flat[a]) || size(cum[b]) - size(cum[a]), 'with callees': (a, b) => size(cum[b]) - size(cum[a]) || size(flat[b]) - size(flat[a]), function: (a, b) => (f[a].name < f[b].name ? -1 : 1) };
    all.sort(by[this.sort]);
    this.rows.replaceChildren(...all.slice(0, ROWS).map((i) => {
      const name = make('button', { title: 'callers and callees' }, f[i].name);
      name.addEventListener('click', () => app.set({ sandwich: f[i].name, zoom: [] }));
      return make('tr', {}, make('td', {}, text(flat[i])), make('td', {}, text(cum[i])), make('td', {}, name));
    }));
    if (all.length > ROWS) this.rows.append(make('tr', {}, make('td', { colspan: 3 }, all.length - ROWS + ' more: search to see them')));
  }

  // makeStrip makes the strip that shows the samples over time. A range is selected with the mouse or in the fields.
  makeStrip() {
    this.strip = make('canvas', { 'data-role': 'strip', height: STRIP, role: 'img', 'aria-label': 'Samples over time; drag to choose a range' });
    this.from = make('input', { type: 'number', 'data-role': 'from', min: 0, step: 10 });
    this.to = make('input', { type: 'number', 'data-role': 'to', min: 0, step: 10 });
    const chosen = () => this.app.set({ from: this.from.value, to: this.to.value, zoom: [] });
    this.from.addEventListener('change', chosen);
    this.to.addEventListener('change', chosen);
    let begin = -1;
    const when = (e) => Math.round(Math.max(0, Math.min(1, (e.clientX - this.strip.getBoundingClientRect().left) / this.strip.clientWidth)) * this.span / 10) * 10;
    this.strip.addEventListener('pointerdown', (e) => { begin = when(e); this.strip.setPointerCapture(e.pointerId); });
    this.strip.addEventListener('pointerup', (e) => {
      const end = when(e), from = Math.min(begin, end), to = Math.max(begin, end);
      this.app.set(to - from < 10 ? { from: '', to: '', zoom: [] } : { from: String(from), to: String(to), zoom: [] });
    });
    return make('section', { 'aria-label': 'Time' }, this.strip, make('label', {}, 'from ', this.from, ' ms '), make('label', {}, 'to ', this.to, ' ms'));
  }

  drawStrip(app) {
    const p = app.profile, width = this.strip.width = Math.max(200, this.strip.clientWidth), g = this.strip.getContext('2d');
    let last = 0;
    for (const t of p.time) if (t > last) last = t;
    this.span = Math.max(last + 9, p.duration / 1e6, 10);
    const bins = Math.max(1, Math.min(width, Math.ceil(this.span / 10))), sums = new Float64Array(bins), value = p.values[app.type];
    for (let i = 0; i < value.length; i++) if (p.time[i] > 0) sums[Math.min(bins - 1, Math.floor((p.time[i] - 1) / this.span * bins))] += value[i];
    const most = Math.max(...sums, 1), s = app.state;
    g.clearRect(0, 0, width, STRIP);
    for (let i = 0; i < bins; i++) {
      const at = i / bins * this.span, inside = (s.from === '' || at >= +s.from - this.span / bins) && (s.to === '' || at < +s.to), h = Math.ceil(sums[i] / most * (STRIP - 2));
      g.fillStyle = inside ? '#d55e00' : '#b0b0b0';
      g.fillRect(i / bins * width, STRIP - h, Math.max(width / bins - (bins < width / 3 ? 1 : 0), 0.5), h);
    }
    this.from.value = s.from;
    this.to.value = s.to;
  }

  prompt(key, label, value) {
    const field = make('input', { 'aria-label': label, placeholder: label }), form = make('form', { method: 'dialog' }, make('label', {}, label + ' ', field));
    field.value = value;
    this.dialog.replaceChildren(form);
    form.addEventListener('submit', () => this.app.set({ [key]: field.value }));
    this.dialog.showModal();
    field.focus();
  }

  help() {
    this.dialog.replaceChildren(make('form', { method: 'dialog' }, make('pre', { 'data-role': 'help' }, helpText().join('\n')), make('button', {}, 'Close')));
    this.dialog.showModal();
  }
}

async function run() {
  const still = document.querySelector('[data-role=still]'), profile = await load(document);
  if (!profile.node.length) return;
  const view = new Page(profile, still), app = new App(profile, view, true);
  view.start(app);
  app.restore();
  window.addEventListener('hashchange', () => app.restore());
  document.documentElement.setAttribute('data-ready', Math.round(performance.now()));
}
const failed = (e) => document.querySelector('[data-role=still]').prepend('This is a static picture: the embedded profile cannot be read: ' + e.message);
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => run().catch(failed));
else run().catch(failed);
