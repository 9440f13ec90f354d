"""A web server of Python's: /echo/17 is answered with 17, the id of this process, and behind them the body; a message 17 of a
websocket with 17 and the id."""

import base64
import hashlib
import os
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MARK = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        if "Sec-WebSocket-Key" in self.headers:
            return self.talk()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = f"{self.path.removeprefix('/echo/')} {os.getpid()}\n".encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET

    def talk(self):
        key = self.headers["Sec-WebSocket-Key"] + MARK
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while True:
            kind, said = self.message()
            if kind == 8:
                return self.send(8, said)
            self.send(1, said + f" {os.getpid()}".encode())

    def message(self):
        """The next message, which is short: its kind, and what it says."""
        kind, length = struct.unpack("!BB", self.rfile.read(2))
        mask = self.rfile.read(4)
        said = self.rfile.read(length & 127)
        return kind & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(said))

    def send(self, kind, said):
        self.wfile.write(struct.pack("!BB", 128 | kind, len(said)) + said)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
