// The three conversations that every client written in JavaScript has with an upstream; scenario.py has the same for
// Python. Here stands what is sent and what is noted down; what should have been seen is judged by the tests.
//
// In the language of 2009, because PhantomJS 1.9.8 runs it too.

(function (exports) {
  'use strict';

  // Longer than the slowest of them needs on a busy machine, shorter than the patience of the test behind it.
  var DEADLINE_MS = 15000;
  var SIZES = [125, 126, 65535, 65536, 1048576];
  var BURST = 200;

  // So many bytes of ASCII in which a loss, a swap or a repetition shows.
  function text(bytes) {
    var characters = [];
    for (var i = 0; i < bytes; i++) characters.push(String.fromCharCode(0x20 + (i * 31 + (i >> 8)) % 95));
    return characters.join('');
  }

  function binary(bytes) {
    var data = new Uint8Array(bytes);
    for (var i = 0; i < bytes; i++) data[i] = i * 31 + (i >> 8);
    return data;
  }

  function messages(withBinary) {
    var all = [
      ['empty text', ''],
      ['short text', 'Hello'],
      ['text with a NUL', 'a\u0000b'],
      ['text of \u20ac\ud83d\ude00', '\u20ac\ud83d\ude00'],
      // 7 bytes each: wherever this is cut, it is cut inside a character sooner or later.
      ['long text of \u20ac\ud83d\ude00', new Array(9363).join('\u20ac\ud83d\ude00')]
    ];
    SIZES.forEach(function (bytes) { all.push(['text of ' + bytes + ' bytes', text(bytes)]); });
    if (withBinary) {
      all.push(['empty binary', binary(0)]);
      SIZES.forEach(function (bytes) { all.push(['binary of ' + bytes + ' bytes', binary(bytes)]); });
    }
    return all;
  }

  // 'same', or what is different.
  function compare(sent, received) {
    var sentText = typeof sent === 'string', receivedText = typeof received === 'string';
    if (sentText !== receivedText) return receivedText ? 'came back as text' : 'came back as binary';
    var got = receivedText ? received : new Uint8Array(received);
    if (sent.length !== got.length) return sent.length + ' went, ' + got.length + ' came back';
    for (var i = 0; i < sent.length; i++) if (sent[i] !== got[i]) return 'differs at ' + i;
    return 'same';
  }

  function present(value) {
    return value === undefined ? null : value;
  }

  // Each returns what to do with a message, and begins once the socket is open.
  var scenarios = {
    // All messages, one at a time; a burst without waiting; then we close.
    echo: function (socket, seen, withBinary) {
      var rest = messages(withBinary);
      seen.echoes = {};
      seen.burst = [];

      function next() {
        if (rest.length) return socket.send(rest[0][1]);
        for (var i = 0; i < BURST; i++) socket.send('burst ' + i);
      }

      next();
      return function (data) {
        if (rest.length) {
          var message = rest.shift();
          seen.echoes[message[0]] = compare(message[1], data);
          next();
        } else {
          seen.burst.push(data);
          if (seen.burst.length === BURST) socket.close(1000, 'done');
        }
      };
    },

    // One message, which the upstream returns before it closes.
    close: function (socket, seen) {
      seen.messages = [];
      socket.send('last words');
      return function (data) { seen.messages.push(data); };
    },

    // The upstream speaks first, and says what request it has seen; then we close.
    headers: function (socket, seen) {
      return function (data) {
        seen.request = JSON.parse(data);
        socket.close(1000, 'done');
      };
    }
  };

  // Takes a socket with the interface of browsers that is about to open, and whether it can send binary messages.
  // Calls `report` once, when it has closed or when time is up, with all that it has seen.
  exports.play = function (scenario, socket, withBinary, report) {
    var seen = {errors: [], close: null};
    var receive = null;
    var deadline = setTimeout(function () {
      seen.errors.push('not closed after ' + DEADLINE_MS + ' ms');
      finish();
    }, DEADLINE_MS);

    function finish() {
      clearTimeout(deadline);
      if (report) report(seen);
      report = null;
    }

    socket.onopen = function () { receive = scenarios[scenario](socket, seen, withBinary); };
    socket.onmessage = function (event) { receive(event.data); };
    socket.onerror = function (event) {
      seen.errors.push(String(event.message || event.type || event));
      if (!receive) finish();  // it will not open; ws 0.4.32 has no close event then
    };
    socket.onclose = function (event) {
      seen.close = {code: present(event.code), reason: present(event.reason)};
      finish();
    };
  };
})(typeof exports === 'undefined' ? window : exports);
