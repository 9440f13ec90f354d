'use strict';
require('http').createServer().on('error', function (error) { process.send({ code: error.code }); }).listen(+process.env.PORT, '127.0.0.1');
