'use strict';
// Forks by itself where nobody has done it yet, as many servers do.
var cluster = require('cluster');
if (cluster.isMaster) { cluster.fork(); cluster.fork(); } else require('./http.js');
