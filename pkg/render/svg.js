// Zoom and search for the flame graph in this file. Works on what is drawn; names are only ever
// read and written as text.
(function () {
  'use strict';
  var svg = document.currentScript ? document.currentScript.ownerSVGElement : document.documentElement;
  var WIDTH = 1200, MARGIN = 10, CHAR = 12 * 0.602, TITLE_LINES = '\n';
  var detail = svg.querySelector('[data-role=detail]');
  var hint = detail.textContent;
  var frames = Array.prototype.map.call(svg.querySelectorAll('[data-role=frames] > g'), function (g) {
    var rect = g.querySelector('rect'), title = g.querySelector('title').textContent, cut = title.lastIndexOf(TITLE_LINES);
    var f = {
      g: g, rect: rect, text: g.querySelector('text'), name: title.slice(0, cut), value: title.slice(cut + 1),
      x: +rect.getAttribute('x'), y: +rect.getAttribute('y'), width: +rect.getAttribute('width') + 0.5, fill: rect.getAttribute('fill')
    };
    g.addEventListener('click', function () { zoom(f); });
    g.addEventListener('mouseover', function () { detail.textContent = f.name + ' · ' + f.value.replace('\n', ' '); });
    g.addEventListener('mouseout', function () { detail.textContent = matched || hint; });
    g.style.cursor = 'pointer';
    return f;
  });
  if (!frames.length) return;
  var all = frames[0], matched = '';

  // fit keeps a name's end: import paths stand at its beginning.
  function fit(name, width) {
    var room = Math.floor((width - 6) / CHAR), runes = Array.from(name);
    if (room < 3) return '';
    return runes.length <= room ? name : '…' + runes.slice(runes.length - room + 1).join('');
  }

  function place(f, x, width, faded) {
    var gone = width < 0.1;
    f.g.setAttribute('display', gone ? 'none' : 'inline');
    if (gone) return;
    f.rect.setAttribute('x', x);
    f.rect.setAttribute('width', Math.max(width - 0.5, 0.1));
    f.g.setAttribute('opacity', faded ? 0.5 : 1);
    var label = fit(f.name, width);
    if (label && !f.text) {
      f.text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
      f.text.setAttribute('y', f.y + 12);
      f.g.appendChild(f.text);
    }
    if (f.text) {
      f.text.textContent = label;
      f.text.setAttribute('x', x + 3);
    }
  }

  // zoom gives a frame the whole width; its callers below stay, faded, and the rest goes.
  function zoom(to) {
    var scale = (WIDTH - 2 * MARGIN) / to.width;
    frames.forEach(function (f) {
      var above = f.y <= to.y && f.x >= to.x - 0.02 && f.x + f.width <= to.x + to.width + 0.02;
      var below = f.y > to.y && f.x <= to.x + 0.02 && f.x + f.width >= to.x + to.width - 0.02;
      if (above) place(f, MARGIN + (f.x - to.x) * scale, f.width * scale, false);
      else place(f, MARGIN, below ? WIDTH - 2 * MARGIN : 0, true);
    });
    reset.setAttribute('display', to === all ? 'none' : 'inline');
  }

  // search marks the frames whose names match, and says their share, a match within a match once.
  function search(expression) {
    matched = '';
    frames.forEach(function (f) { f.rect.setAttribute('fill', f.fill); });
    if (expression) {
      var re;
      try { re = new RegExp(expression, 'i'); } catch (e) { detail.textContent = 'not a regular expression: ' + expression; return; }
      var hits = frames.filter(function (f) { return re.test(f.name); }), total = 0, end = -1;
      hits.forEach(function (f) { f.rect.setAttribute('fill', '#7b2fd6'); });
      hits.sort(function (a, b) { return a.x - b.x || b.width - a.width; }).forEach(function (f) {
        if (f.x + 0.01 < end) return;
        total += f.width;
        end = f.x + f.width;
      });
      matched = 'matched "' + expression + '": ' + hits.length + ' frames, ' + (100 * total / all.width).toFixed(2) + '% (of what is drawn)';
    }
    detail.textContent = matched || hint;
  }

  function button(label, x, action) {
    var t = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    t.textContent = label;
    t.setAttribute('x', x);
    t.setAttribute('y', 24);
    t.setAttribute('text-anchor', 'end');
    t.setAttribute('fill', '#0b57d0');
    t.style.cursor = 'pointer';
    t.addEventListener('click', action);
    svg.appendChild(t);
    return t;
  }
  function ask() {
    var expression = window.prompt('Search for a function (regular expression):');
    if (expression !== null) search(expression);
  }
  button('Search', WIDTH - MARGIN, ask);
  var reset = button('Reset zoom', WIDTH - MARGIN - 70, function () { zoom(all); });
  reset.setAttribute('display', 'none');
  window.addEventListener('keydown', function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === '/') { e.preventDefault(); ask(); }
    if (e.key === 'Escape' || e.key === '0') { zoom(all); search(''); }
  });
})();
