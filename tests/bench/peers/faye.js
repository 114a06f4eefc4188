// A proxy for old and new clients on websocket-driver of faye: node faye.js MODULES UPSTREAM_PORT
//
// It passes a message on when it is whole, and accepts a client when the upstream has accepted it. It prints its port.

'use strict';

const http = require('http');
const net = require('net');
const websocket = require(`${process.argv[2]}/websocket-driver`);

const upstreamPort = Number(process.argv[3]);
const server = http.createServer();

server.on('upgrade', (request, client, head) => {
  const ours = websocket.http(request);
  const theirs = websocket.client(`ws://127.0.0.1:${upstreamPort}/`);
  const upstream = net.connect(upstreamPort, '127.0.0.1', () => theirs.start());
  const end = () => {
    client.destroy();
    upstream.destroy();
  };
  for (const [socket, driver] of [[client, ours], [upstream, theirs]]) {
    socket.setNoDelay(true);
    for (const event of ['end', 'error', 'close']) socket.on(event, end);
    driver.on('error', end);
    socket.pipe(driver.io).pipe(socket);
  }
  ours.io.write(head);
  theirs.on('open', () => ours.start());
  ours.on('message', ({data}) => (typeof data === 'string' ? theirs.text(data) : theirs.binary(data)));
  theirs.on('message', ({data}) => (typeof data === 'string' ? ours.text(data) : ours.binary(data)));
});

server.listen({port: 0, host: '127.0.0.1', backlog: 4096}, () => console.log(`listening ${server.address().port}`));
