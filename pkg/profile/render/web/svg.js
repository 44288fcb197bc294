// Draws the flame graph in an SVG file: one path for each colour, because many elements are slow. Coordinates are in tenths of a
// pixel, because integers are faster to format.

const root = document.currentScript ? document.currentScript.ownerSVGElement : document.documentElement;
const alone = root === document.documentElement;
const part = (name) => root.querySelector('[data-role=' + name + ']');

function element(name, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text) e.textContent = text;
  return e;
}

class Picture {
  constructor() {
    this.frames = part('frames');
    this.foot = part('foot');
    this.detail = part('detail');
    this.note = part('note');
    this.hint = this.detail.textContent;
    this.head = Number(this.frames.getAttribute('data-head'));
    this.width = CONFIG.width - 2 * CONFIG.margin;
    this.detail.setAttribute('role', 'status');
    this.detail.setAttribute('aria-live', 'polite');
  }

  start(app) {
    this.app = app;
    root.setAttribute('role', 'group');
    this.frames.setAttribute('role', 'application');
    this.frames.setAttribute('tabindex', '0');
    this.frames.setAttribute('aria-label', 'Flame graph; arrow keys move, Enter zooms, ? lists the keys');
    this.frames.setAttribute('cursor', 'pointer');
    this.frames.addEventListener('click', (e) => { const b = this.boxAt(e); if (b) app.openBox(b); });
    this.frames.addEventListener('mousemove', (e) => { const b = this.boxAt(e); if (b) this.showDetail(app.describe(b.tree, b.node, b.smaller, b.value)); });
    this.frames.addEventListener('mouseleave', () => this.showStatus(app.summary()));
    (alone ? window : root).addEventListener('keydown', (e) => handleKey(app, e, true));
    let x = CONFIG.width - CONFIG.margin;
    for (const [key, label, act, what] of ACTIONS.filter((a) => a[1]).reverse()) {
      const b = element('text', { x, y: 24, 'text-anchor': 'end', fill: '#0b57d0', role: 'button', tabindex: 0, cursor: 'pointer', 'aria-label': what + ', key ' + key }, label);
      b.addEventListener('click', () => act(app));
      b.addEventListener('keydown', (e) => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); act(app); } });
      root.append(b);
      x -= (label.length + 1.5) * CONFIG.char;
    }
  }

  boxAt(event) {
    const m = this.frames.getScreenCTM().inverse(), p = new DOMPoint(event.clientX, event.clientY).matrixTransform(m);
    const line = Math.floor(p.y / CONFIG.row);
    return this.layout && this.layout.boxes.find((b) => b.line === line && p.x >= b.x && p.x < b.x + b.width);
  }

  draw(app) {
    const layout = this.layout = app.layout(this.width, true, 1), fills = new Map(), labels = [], all = document.createDocumentFragment();
    for (const b of layout.boxes) {
      const f = app.profile.frames[b.tree.frame[b.node]], hit = app.matches && app.matches[b.tree.frame[b.node]] && !b.smaller;
      const fill = b.smaller ? CONFIG.smaller : hit ? '#7b2fd6' : app.fill(b.tree, b.node), y = b.line * CONFIG.row, w = Math.max(Math.round(b.width * 10) - 5, 2);
      const key = fill + (b.above ? '+' : '');
      fills.set(key, (fills.get(key) || '') + 'M' + Math.round(b.x * 10) + ' ' + y + 'h' + w + 'v' + (CONFIG.row - 1) + 'h-' + w + 'z');
      const label = b.smaller ? fitSmaller(b.smaller, b.width) : fit(f.name, b.width);
      if (label) labels.push(element('text', { x: Math.round(b.x) + 3, y: y + 12, fill: hit ? '#ffffff' : '#000000', ...(b.tree.inlined[b.node] && !b.smaller ? { 'font-style': 'italic' } : {}) }, label));
    }
    all.append(element('rect', { width: this.width, height: layout.lines * CONFIG.row, fill: '#ffffff' }));
    for (const [key, d] of fills) all.append(element('path', { d, transform: 'scale(0.1 1)', fill: key.replace('+', ''), ...(key.endsWith('+') ? { 'fill-opacity': 0.5 } : {}) }));
    all.append(...labels);
    const chosen = app.selected && layout.boxes.find((b) => b.tree === app.selected.tree && b.node === app.selected.node && !b.smaller);
    if (chosen) all.append(element('rect', { 'data-role': 'selected', x: chosen.x, y: chosen.line * CONFIG.row, width: Math.max(chosen.width, 2), height: CONFIG.row - 1, fill: 'none', stroke: '#000000', 'stroke-width': 2 }));
    this.frames.replaceChildren(all);
    this.resize(layout.lines);
    this.note.textContent = app.notes() || 'Every frame is in the file: click to zoom, / to search, ? for more.';
    this.showStatus(app.summary());
  }

  resize(lines) {
    const rows = Math.max(lines, 3) * CONFIG.row, height = this.head + rows + CONFIG.foot;
    root.setAttribute('height', height);
    root.setAttribute('viewBox', '0 0 ' + CONFIG.width + ' ' + height);
    this.frames.setAttribute('transform', 'translate(' + CONFIG.margin + ' ' + (this.head + rows - lines * CONFIG.row) + ')');
    this.foot.setAttribute('transform', 'translate(' + CONFIG.margin + ' ' + (this.head + rows) + ')');
  }

  showDetail(text) { this.detail.textContent = fit(text, this.width * 2).length > this.width / CONFIG.char ? text.slice(0, Math.floor(this.width / CONFIG.char)) : text; }
  showStatus(text) { this.showDetail(text || this.hint); }

  // ask shows a field; Enter sets the value, Escape leaves it.
  prompt(key, label, value) {
    const box = element('foreignObject', { x: CONFIG.margin, y: 4, width: 520, height: 30 }), input = document.createElementNS('http://www.w3.org/1999/xhtml', 'input');
    input.setAttribute('aria-label', label);
    input.setAttribute('placeholder', label);
    input.value = value;
    input.style.cssText = 'width:500px;font:14px monospace;box-sizing:border-box';
    const close = () => {
      if (box.isConnected) box.remove();
      // Not at once, for the key would be pressed there too; and not if another question was asked meanwhile.
      setTimeout(() => { if (!root.querySelector('foreignObject')) this.frames.focus({ preventScroll: true }); });
    };
    input.addEventListener('keydown', (e) => {
      e.stopPropagation();
      if (e.key === 'Escape') close();
      if (e.key !== 'Enter') return;
      close();
      this.app.set({ [key]: input.value });
    });
    box.append(input);
    root.append(box);
    input.focus();
  }

  help() {
    const old = part('help');
    if (old) return old.remove();
    const text = helpText(), box = element('g', { 'data-role': 'help', transform: 'translate(200 40)', cursor: 'pointer' });
    box.append(element('rect', { width: 800, height: text.length * 17 + 20, fill: '#ffffff', stroke: '#000000' }));
    text.forEach((line, i) => box.append(element('text', { x: 12, y: 24 + i * 17 }, line)));
    box.addEventListener('click', () => box.remove());
    root.append(box);
  }
}

async function run() {
  const profile = await load(root), view = new Picture(), app = new App(profile, view, alone);
  if (!profile.node.length) return;
  view.start(app);
  app.restore();
  if (alone) window.addEventListener('hashchange', () => app.restore());
  root.setAttribute('data-ready', Math.round(performance.now()));
}
const failed = (e) => { part('detail').textContent = 'This is a static picture: the embedded profile cannot be read: ' + e.message; };
if (document.readyState === 'complete') run().catch(failed);
else window.addEventListener('load', () => run().catch(failed));
