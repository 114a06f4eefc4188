// websocket-driver 0.7.4 of faye, as a server and as a client: node websocket_driver.js
//
// Speaks hixie-75 and hixie-76 as a server, and RFC 6455 as both. What it is told and what it tells is explained in
// ends.py. It answers pings and Closes itself; it has no way to send fragments.

'use strict';

const net = require('net');
const readline = require('readline');
const websocket = require('websocket-driver');

let current = null;  // the one connection that there is at a time: {socket, driver}

function tellOf(...words) {
  process.stdout.write(words.map((word) => (word ?? '') === '' ? '-' : word).join(' ') + '\n');
}

function hex(data) {
  return Buffer.from(data || '').toString('hex');
}

function adopt(socket, driver) {
  current = {socket, driver};
  driver.on('open', () => tellOf('open', driver.protocol));
  driver.on('message', ({data}) => tellOf(typeof data === 'string' ? 'text' : 'binary', hex(data)));
  driver.on('pong', ({data}) => tellOf('pong', hex(data)));
  driver.on('error', (error) => tellOf('error', hex(error.message)));
  driver.on('close', ({code, reason}) => {
    // Of hixie-75 it tells a Close, too, though there is none.
    if (driver.version !== 'hixie-75') tellOf('close', code, hex(reason));
    socket.end();
  });
  socket.pipe(driver.io).pipe(socket);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    current = null;
    tellOf('end');
  });
}

const commands = {
  open: (dialect, port, path, subprotocol) => {
    const protocols = subprotocol === '-' ? [] : [subprotocol];
    const driver = websocket.client(`ws://127.0.0.1:${port}${path}`, {protocols});
    const socket = net.connect(Number(port), '127.0.0.1', () => driver.start());
    adopt(socket, driver);
  },
  text: (data) => current.driver.text(data.toString()),
  binary: (data) => current.driver.binary(data),
  ping: (data) => current.driver.ping(data.toString()),
  close: (code, reason) => current.driver.close(Buffer.from(reason, 'hex').toString(), Number(code)),
  cut: () => current.socket.destroy()
};

const server = net.createServer((socket) => {
  const driver = websocket.server({protocols: ['chat']});
  driver.on('connect', () => driver.start());
  adopt(socket, driver);
});
server.listen(0, '127.0.0.1', () => tellOf('listening', server.address().port));

const lines = readline.createInterface({input: process.stdin});
lines.on('line', (line) => {
  const [verb, ...words] = line.split(' ');
  if (verb === 'mark') return tellOf(verb, ...words);
  const isText = verb === 'open' || verb === 'close';
  const values = isText ? words : words.map((word) => Buffer.from(word === '-' ? '' : word, 'hex'));
  if (current || verb === 'open') commands[verb](...values);
});
lines.on('close', () => process.exit());
