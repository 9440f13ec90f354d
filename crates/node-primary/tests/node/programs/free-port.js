'use strict';
var http = require('http');
var server = http.createServer(function (request, response) { response.end('pid ' + process.pid); });
server.listen(0, '127.0.0.1', function () { process.send({ port: server.address().port }); });
