// A WebKit of 2011, which speaks hixie-76: phantomjs phantom.js PAGE URL SCENARIO
//
// The page's own WebSocket plays the scenario, so that origin and cookies are those of the page. Prints what it has
// seen as one line of JSON.

var system = require('system');
var webpage = require('webpage');

var page = webpage.create();

function fail(message) {
  system.stderr.writeLine(message);
  phantom.exit(1);
}

phantom.onError = page.onError = fail;
page.onCallback = function (seen) {
  console.log(seen);
  phantom.exit();
};
page.open(system.args[1], function (status) {
  if (status !== 'success') return fail('cannot load ' + system.args[1] + ': ' + status);
  page.evaluate(function (url, scenario) {
    // No binary: it would send the text "[object ArrayBuffer]". As JSON already here: null would arrive as ''.
    window.play(scenario, new WebSocket(url), false, function (seen) { window.callPhantom(JSON.stringify(seen)); });
  }, system.args[2], system.args[3]);
});
