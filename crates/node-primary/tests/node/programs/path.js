'use strict';
// Many programs remove what an earlier run may have left.
try { require('fs').unlinkSync(process.env.AT); } catch (error) { if (error.code !== 'ENOENT') throw error; }
require('http').createServer(function (request, response) { response.end('pid ' + process.pid); }).listen(process.env.AT);
