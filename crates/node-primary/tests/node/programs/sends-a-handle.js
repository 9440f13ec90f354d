'use strict';
// Sends two servers, one after the other, and a message: Node sends each only once the one before was acknowledged.
var net = require('net');
function server(then) { var made = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true }, function () { then(made); }); }
server(function (first) { server(function (second) {
  process.send({ number: 1 }, first);
  process.send({ number: 2 }, second);
  process.send('after');
}); });
