// A service that sorts and encodes records for each request.
'use strict';
const http = require('http');

const records = Array.from({ length: 300 }, (_, id) => ({ id, name: 'user ' + id, score: (id * 7919) % 1000 }));

function rankRecords(text) {
  return JSON.parse(text).sort((a, b) => a.score - b.score).filter((r) => /^user \d*[13579]$/.test(r.name));
}

function countWords(text) {
  const counts = new Map();
  for (const word of text.split(/\W+/)) counts.set(word, (counts.get(word) || 0) + 1);
  return counts.size;
}

http.createServer(function answerRequest(request, response) {
  const text = JSON.stringify(records);
  const best = rankRecords(text);
  response.end(JSON.stringify({ words: countWords(text), best }));
}).listen(8080, '127.0.0.1');
