// A web server of Node's: /echo/17 is answered with 17, the id of this process, and behind them the body; a message 17 of a
// websocket with 17 and the id.
const crypto = require('crypto');
const MARK = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const server = require('http').createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const said = Buffer.concat([Buffer.from(`${request.url.replace('/echo/', '')} ${process.pid}\n`), ...parts]);
    response.writeHead(200, { 'Content-Length': said.length });
    response.end(said);
  });
});

// Messages are short: their length is in one byte.
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + MARK;
  const accept = crypto.createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const send = (kind, said) => socket.write(Buffer.concat([Buffer.from([128 | kind, said.length]), said]));
  let buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (part) => {
    buffer = Buffer.concat([buffer, part]);
    while (buffer.length >= 6 && buffer.length >= 6 + (buffer[1] & 127)) {
      const [kind, length] = [buffer[0] & 15, buffer[1] & 127];
      const said = buffer.subarray(6, 6 + length).map((byte, at) => byte ^ buffer[2 + (at % 4)]);
      buffer = buffer.subarray(6 + length);
      if (kind === 8) {
        send(8, said);
        socket.end();
      } else {
        send(1, Buffer.concat([said, Buffer.from(` ${process.pid}`)]));
      }
    }
  });
});

server.listen(process.env.PORT, '127.0.0.1');
