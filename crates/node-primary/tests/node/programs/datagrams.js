'use strict';
var socket = require('dgram').createSocket('udp4');
socket.on('message', function (message, from) { var answer = new Buffer.from('pid ' + process.pid); socket.send(answer, 0, answer.length, from.port, from.address); });
socket.bind(+process.env.PORT, '127.0.0.1');
