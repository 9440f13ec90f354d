'use strict';
// As express and its like are built: the app is a function, and listen() passes its arguments on.
const http = require('http');
const app = (request, response) => { response.writeHead(200, { 'Content-Type': 'text/plain' }); response.end(`pid ${process.pid}`); };
app.listen = function () { const server = http.createServer(app); return server.listen.apply(server, arguments); };
app.listen(process.env.PORT, '0.0.0.0', () => console.error('listening'));
