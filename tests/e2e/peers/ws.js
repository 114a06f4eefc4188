// The ws of today, which speaks RFC 6455: node ws.js URL SCENARIO COOKIE ORIGIN
//
// Prints what it has seen as one line of JSON.

'use strict';

const {WebSocket} = require('ws');
const {play} = require('./scenario.js');

const [url, scenario, cookie, origin] = process.argv.slice(2);
const socket = new WebSocket(url, {origin, headers: {Cookie: cookie}});
socket.binaryType = 'arraybuffer';
play(scenario, socket, true, (seen) => console.log(JSON.stringify(seen)));
