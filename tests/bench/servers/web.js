// A web server of Node's, for balancers that stand before two of it, and for pm2's cluster.
const body = 'hello\n';
require('http')
  .createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
    response.end(body);
  })
  .listen(process.env.PORT, '127.0.0.1');
