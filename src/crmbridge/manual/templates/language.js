// Open the manual in the reader's language, where it is there; without a script, the list on the page does.
(function () {
  "use strict";
  var links = document.querySelectorAll("a[hreflang]");
  var spoken = navigator.languages || [navigator.language || ""];
  for (var i = 0; i < spoken.length; i += 1) {
    for (var j = 0; j < links.length; j += 1) {
      if (links[j].hreflang.slice(0, 2) === String(spoken[i]).slice(0, 2).toLowerCase()) {
        window.location.replace(links[j].href);
        return;
      }
    }
  }
})();
