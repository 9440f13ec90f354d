"""A webhook: writes each alert that it is sent as a line of `tries`, and answers as the words of the plan say, one for each;
`event=answer` is the answer to all alerts of that event. With a directory of a certificate it speaks TLS."""

import http.server
import json
import os
import ssl
import sys
import threading

PLACE = sys.argv[1]
PLAN = [word for word in sys.argv[2].split() if "=" not in word]
OF_EVENTS = dict(word.split("=") for word in sys.argv[2].split() if "=" in word)
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with LOCK:
            answer = OF_EVENTS.get(body["event"]) or (PLAN.pop(0) if PLAN else "200")
            line = {"path": self.path, "type": self.headers["content-type"], "answer": answer, "alert": body}
            with open(f"{PLACE}/tries", "a") as tries:
                tries.write(json.dumps(line) + "\n")
        if answer == "never":
            threading.Event().wait()
        self.send_response(int(answer))
        self.end_headers()

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{sys.argv[3]}/server.crt", f"{sys.argv[3]}/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(f"{PLACE}/port.new", "w") as port:
    port.write(str(server.server_port))
os.rename(f"{PLACE}/port.new", f"{PLACE}/port")
server.serve_forever()
