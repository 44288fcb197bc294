// The actions: key, label of the button if there is one, function, description. Actions on a frame use the selected one.

const ACTIONS = [
  ['/', 'Search', (a) => a.view.prompt('find', 'Search (regular expression)', a.state.find), 'search every frame of the profile by regular expression'],
  ['n', '', (a) => a.step(1), 'next match'],
  ['N', '', (a) => a.step(-1), 'previous match'],
  ['s', 'Sandwich', (a) => withFrame(a, (name) => a.set({ sandwich: name, zoom: [] })), 'callers and callees of the selected function, all its calls merged'],
  ['f', 'Focus', (a) => withFrame(a, (name) => a.set({ focus: exactPattern(name), zoom: [] })), 'only stacks with the selected function'],
  ['F', '', (a) => a.view.prompt('focus', 'Only stacks with (regular expression)', a.state.focus), 'only stacks that match an expression'],
  ['h', 'Hide', (a) => withFrame(a, (name) => a.set({ hide: alternatives(a.state.hide, exactPattern(name)), zoom: [] })), 'leave out the selected function, but not its callees'],
  ['H', '', (a) => a.view.prompt('hide', 'Leave out (regular expression)', a.state.hide), 'leave out functions that match an expression'],
  ['m', '', (a) => withFrame(a, (_, f) => f.module && a.set({ 'hide-module': alternatives(a.state['hide-module'], f.file.endsWith('.go') ? exactPattern(f.module) : '(^|/)' + exactPattern(f.module).slice(1)), zoom: [] })), 'leave out the selected function’s module'],
  ['M', '', (a) => a.view.prompt('module', 'Only stacks through a module (regular expression)', a.state.module), 'only stacks through a library, binary or Go package that matches'],
  ['r', '', (a) => toggle(a, 'recursion'), 'merge direct recursive calls, on and off'],
  ['w', '', (a) => toggle(a, 'wrappers'), 'leave out functions that only call one other, on and off'],
  ['i', 'Inverted', (a) => toggle(a, 'inverted'), 'invert: callers above the functions on top of the stacks, on and off'],
  ['o', 'Order', (a) => toggle(a, 'weight'), 'order by weight or by name'],
  ['t', '', (a) => nextType(a), 'the next type of values, if there are several'],
  ['c', '', (a) => withFrame(a, (name) => copy(a, name)), 'copy the selected function’s name'],
  ['C', '', (a) => a.selected && copy(a, a.stack(a.selected.tree, a.selected.node).join('\n')), 'copy the whole stack'],
  ['0', '', (a) => a.set({ zoom: [] }), 'zoom out'],
  ['Escape', 'Reset', (a) => a.set({ ...EMPTY, type: a.state.type }), 'reset everything'],
  ['?', 'Help', (a) => a.view.help(), 'list the keys'],
];

function withFrame(app, act) {
  const at = app.selected || (app.zoom ? { tree: app.tree, node: app.zoom } : null);
  if (!at || (at.node === 0 && !app.callers)) return app.view.showStatus('Select a frame first: click it, or use the arrow keys.');
  const f = app.profile.frames[at.tree.frame[at.node]];
  return act(f.name, f);
}

function exactPattern(name) { return '^' + name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&') + '$'; }

function alternatives(a, b) { return a ? a + '|' + b : b; }

function toggle(app, what) { app.set({ [what]: app.state[what] ? '' : '1', zoom: [] }); }

function nextType(app) {
  const { types } = app.profile;
  if (types.length > 1) app.set({ type: types[(app.type + 1) % types.length].type, zoom: app.state.zoom });
  app.view.showStatus('values of ' + types[app.type].type + ': ' + quantity(app.whole, app.unit));
}

function copy(app, text) {
  const done = () => app.view.showStatus('copied: ' + text.split('\n').pop());
  const failed = () => app.view.showStatus('the browser does not allow this page to copy');
  if (!navigator.clipboard) return failed();
  return navigator.clipboard.writeText(text).then(done, failed);
}

// handleKey runs the action of a key. Arrow keys move the selection in the tree; with up, callees are above their callers.
function handleKey(app, event, up) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/i.test(event.target.localName || '')) return;
  const action = ACTIONS.find((a) => a[0] === event.key), onButton = event.target.getAttribute && event.target.getAttribute('role') === 'button';
  if (action) action[2](app);
  else if (event.key.startsWith('Arrow')) move(app, event.key.slice(5), up);
  else if (event.key === 'Enter' && app.selected && !onButton && event.target.localName !== 'button') app.openBox({ ...app.selected, smaller: 0 });
  else return;
  event.preventDefault();
}

function move(app, direction, up) {
  const t = app.selected ? app.selected.tree : app.tree, at = app.selected ? app.selected.node : app.zoom;
  if (!app.selected) return app.select(t, at);
  const outward = app.callers ? (t === app.callers ? 'Up' : 'Down') : up ? 'Up' : 'Down';
  let to = at;
  if (direction === outward) {
    for (let i = at + 1; i < t.end[at]; i = t.end[i]) if (to === at || t.total[i] > t.total[to]) to = i;
  } else if (direction === 'Up' || direction === 'Down') {
    if (at === 0 && app.callers) return app.select(t === app.tree ? app.callers : app.tree, 0);
    to = Math.max(0, t.parent[at]);
  } else if (at > 0) {
    const q = t.parent[at];
    if (direction === 'Right') to = t.end[at] < t.end[q] ? t.end[at] : at;
    else for (let i = q + 1; i < at; i = t.end[i]) to = i;
  }
  if (t === app.tree && (to < app.zoom || to >= t.end[app.zoom])) app.set({ zoom: app.path(to) }, to);
  return app.select(t, to);
}

function helpText() {
  return ACTIONS.map((a) => a[0] + '  ' + a[3]).concat(['arrows  parent, callees, siblings', 'Enter  zoom to the selected frame']);
}
