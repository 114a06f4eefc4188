// The ws of 2014 as it speaks hybi-08: node --no-deprecation ws_old.js URL SCENARIO COOKIE ORIGIN
//
// Prints what it has seen as one line of JSON. Of this client it is good to know that
// - its key holds 15 bytes and not 16 ("8-" and the milliseconds since 1970);
// - it always sends the host as Origin, and the origin it is given as Sec-WebSocket-Origin;
// - behind its Close it ends the connection at once, and its close event repeats its own code and reason.

'use strict';

const WebSocket = require('ws-old');
const {play} = require('./scenario.js');

const [url, scenario, cookie, origin] = process.argv.slice(2);
const socket = new WebSocket(url, {protocolVersion: 8, origin, headers: {Cookie: cookie}});
play(scenario, socket, true, (seen) => console.log(JSON.stringify(seen)));
