'use strict';
var http = require('http');
function answer(request, response) { response.end('pid ' + process.pid); }
http.createServer(answer).listen(+process.env.PORT, '127.0.0.1');
http.createServer(answer).listen(+process.env.SECOND, 'localhost');
