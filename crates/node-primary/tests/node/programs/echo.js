'use strict';
require('net').createServer(function (socket) { socket.write('pid ' + process.pid + '\n'); socket.pipe(socket); }).listen({ port: +process.env.PORT });
