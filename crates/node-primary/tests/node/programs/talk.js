'use strict';
// What pm2 calls a graceful reload: the program is told `shutdown` and says when it is ready.
process.on('message', function (message) {
  if (message === 'shutdown') { process.send({ bye: process.pid }); process.disconnect(); server.close(); }
  else process.send({ echo: message });
});
var server = require('http').createServer(function (request, response) { response.end('pid ' + process.pid); });
server.listen(+process.env.PORT, function () { process.send('ready'); });
