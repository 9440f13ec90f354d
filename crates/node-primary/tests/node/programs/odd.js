'use strict';
// Says what no primary understands, and then serves.
var fs = require('fs');
fs.writeSync(+process.env.CHANNEL, 'this is no JSON\n[1,2\n{"cmd":"NODE_CLUSTER","act":"queryServer"}\n{"cmd":"NODE_SOMETHING"}\n');
process.send({ big: Buffer.alloc(+process.env.SIZE, 'x').toString() }, function () { require('./http.js'); });
