// Search without a server: the index is a script beside the page. Everything found is shown as text.
(function () {
  "use strict";
  var index = window.manualIndex || [];
  var box = document.getElementById("q");
  var list = document.getElementById("found");
  var told = document.getElementById("told");
  var all = document.getElementById("index");
  var MOST = 40;

  function folded(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  }

  var rows = index.map(function (row) {
    return { row: row, title: folded(row[0]), text: folded(row[0] + " " + row[1] + " " + row[3]) };
  });

  // Scripts without spaces between words are looked for by pairs of characters where the whole is not there.
  function pairs(term) {
    var found = [];
    for (var i = 0; i + 1 < term.length; i += 1) { found.push(term.slice(i, i + 2)); }
    return found;
  }

  function score(entry, terms) {
    var total = 0;
    for (var i = 0; i < terms.length; i += 1) {
      var term = terms[i];
      if (entry.title === term) { total += 100; }
      else if (entry.title.indexOf(term) === 0) { total += 40; }
      else if (entry.title.indexOf(term) > 0) { total += 20; }
      else if (entry.text.indexOf(term) >= 0) { total += 5; }
      else if (/[\u3040-\u9fff\uac00-\ud7af]/.test(term) && term.length > 2) {
        var hits = pairs(term).filter(function (pair) { return entry.text.indexOf(pair) >= 0; }).length;
        if (hits * 2 < term.length - 1) { return 0; }
        total += hits / term.length;
      } else { return 0; }
    }
    return total;
  }

  function element(name, text, kind) {
    var made = document.createElement(name);
    made.textContent = text;
    if (kind) { made.className = kind; }
    return made;
  }

  function show() {
    var terms = folded(box.value).split(/\s+/).filter(Boolean);
    list.textContent = "";
    all.hidden = terms.length > 0;
    if (!terms.length) { told.textContent = ""; return; }
    var hits = rows
      .map(function (entry, place) { return { entry: entry, place: place, score: score(entry, terms) }; })
      .filter(function (hit) { return hit.score > 0; })
      .sort(function (a, b) { return b.score - a.score || a.place - b.place; });
    hits.slice(0, MOST).forEach(function (hit) {
      var row = hit.entry.row;
      var item = document.createElement("li");
      var link = element("a", row[0]);
      link.setAttribute("href", row[2]);
      item.appendChild(link);
      item.appendChild(document.createTextNode(" "));
      item.appendChild(element("span", row[1], "soft small"));
      if (row[3]) { item.appendChild(element("p", row[3], "note")); }
      list.appendChild(item);
    });
    told.textContent = hits.length ? told.dataset.some.replace("#", hits.length) : told.dataset.none;
  }

  box.value = new URLSearchParams(window.location.search).get("q") || "";
  box.addEventListener("input", show);
  box.form.addEventListener("submit", function (event) { event.preventDefault(); show(); });
  show();
})();
