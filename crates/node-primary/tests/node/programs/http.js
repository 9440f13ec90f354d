'use strict';
var http = require('http');
http.createServer(function (request, response) { response.end('pid ' + process.pid); }).listen(+process.env.PORT);
