'use strict';
// What a websocket begins with, and then an echo.
var server = require('http').createServer(function (request, response) { response.end('pid ' + process.pid); });
server.on('upgrade', function (request, socket) {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
  socket.pipe(socket);
});
server.listen(+process.env.PORT);
