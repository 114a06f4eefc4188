// An upstream on the ws of today: node upstream_ws.js
//
// Echoes what it receives. Under /close it closes with 1001 'bye' behind the first echo, under /headers it begins with
// the request as JSON. Prints its port, then a line of JSON for each connection that has ended. Listens on loopback.

'use strict';

const {WebSocketServer} = require('ws');

const server = new WebSocketServer({host: '127.0.0.1', port: 0, perMessageDeflate: true});

function print(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

server.on('listening', () => print(server.address().port));
server.on('connection', (socket, request) => {
  const path = request.url;
  const resource = path.split('?')[0];
  socket.on('message', (data, isBinary) => {
    socket.send(data, {binary: isBinary});
    if (resource === '/close') socket.close(1001, 'bye');
  });
  socket.on('close', (code, reason) => print({path, code, reason: reason.toString()}));
  // What breaks the rules of RFC 6455 arrives here, and then ends the connection with the code of the error.
  socket.on('error', (error) => process.stderr.write(`${path}: ${error.stack}\n`));
  if (resource === '/headers') {
    const headers = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(request.rawHeaders.slice(i, i + 2));
    socket.send(JSON.stringify({path, headers}));
  }
});
