'use strict';
var server = require('net').createServer(function (socket) { socket.write('pid ' + process.pid + '\n'); });
server.maxConnections = 1;
server.listen(+process.env.PORT);
