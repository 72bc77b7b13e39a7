# SPDX-License-Identifier: MIT
# A web server that misbehaves as its paths say: server.py FILE prints its port
# and serves FILE until its standard input ends.
import os
import socketserver
import sys
import threading
import time

DATA = open(sys.argv[1], "rb").read()
HALF = len(DATA) // 2
seen = {}
lock = threading.Lock()


def count(path):
    with lock:
        seen[path] = seen.get(path, 0) + 1
        return seen[path]


class Handler(socketserver.StreamRequestHandler):
    def send(self, status, body=b"", length=None, **headers):
        lines = ["HTTP/1.1 %s" % status, "Connection: close"]
        if length is not False:
            lines.append("Content-Length: %d" % (len(body) if length is None else length))
        lines += ["%s: %s" % (k.replace("_", "-"), v) for k, v in headers.items()]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def part(self, start, **headers):
        headers["Content_Range"] = "bytes %d-%d/%d" % (start, len(DATA) - 1, len(DATA))
        self.send("206 Partial Content", DATA[start:], **headers)

    def cut(self, **headers):
        self.send("200 OK", DATA[:HALF], length=len(DATA), **headers)

    def handle(self):
        path = self.rfile.readline().decode("latin-1").split(" ")[1]
        headers = {}
        while True:
            line = self.rfile.readline().decode("latin-1").strip()
            if not line:
                break
            key, _, value = line.partition(":")
            headers[key.lower()] = value.strip()
        start = headers.get("range", "")[len("bytes="):].rstrip("-")
        name = path.strip("/").replace("-", "_").partition(".")[0].partition("/")[0]
        if path.partition("?")[0].endswith(".sha256") and name not in ("right", "wrong"):
            self.send("404 Not Found")
        else:
            getattr(self, "do_" + name)(int(start) if start else None, headers, path)

    # -- cut off, and how it goes on

    def do_cut_once(self, start, headers, path):
        if start is None:
            self.cut(ETag='"a"')
        else:
            self.part(start, ETag='"a"')

    def do_cut_always(self, start, headers, path):
        self.send("200 OK", DATA[:1000], length=len(DATA))

    def do_cut_then_whole(self, start, headers, path):
        if count(path) == 1:
            self.cut(ETag='"a"')
        else:
            self.send("200 OK", DATA, ETag='"a"')

    def do_cut_then_changed(self, start, headers, path):
        n = count(path)
        if n == 1:
            self.send("200 OK", b"x" * 5000, length=len(DATA), ETag='"a"')
        elif headers.get("if-range") == '"b"' and start:
            self.part(start, ETag='"b"')
        else:
            self.send("200 OK", DATA, ETag='"b"')

    def do_cut_then_lie(self, start, headers, path):
        if start is None:
            self.cut(ETag='"a"')
        else:
            self.send("206 Partial Content", DATA[:100], ETag='"a"',
                      Content_Range="bytes 0-99/%d" % len(DATA))

    def do_cut_no_length(self, start, headers, path):
        self.send("200 OK", DATA[:HALF], length=False)

    # -- slow

    def do_silent(self, start, headers, path):
        time.sleep(60)

    def do_stall(self, start, headers, path):
        self.send("200 OK", DATA[:HALF], length=len(DATA))
        time.sleep(60)

    def do_stall_end(self, start, headers, path):
        self.send("200 OK", DATA[:-1], length=len(DATA))
        time.sleep(60)

    def do_drip(self, start, headers, path):
        self.send("200 OK", b"", length=len(DATA))
        for i in range(600):
            self.wfile.write(DATA[i:i + 1])
            time.sleep(0.1)

    def do_slow_headers(self, start, headers, path):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for i in range(600):
            self.wfile.write(b"X-%d: y\r\n" % i)
            time.sleep(0.1)

    # -- lies

    def do_html_404(self, start, headers, path):
        self.send("404 Not Found", b"<html><body>nothing here</body></html>", Content_Type="text/html")

    def do_html_200(self, start, headers, path):
        self.send("200 OK", b"<html><body>please log in</body></html>", Content_Type="text/html")

    def do_encoded(self, start, headers, path):
        self.send("200 OK", DATA, Content_Encoding="gzip")

    def do_longer(self, start, headers, path):
        self.send("200 OK", DATA, length=len(DATA) - 10)

    def do_empty(self, start, headers, path):
        self.send("200 OK", b"")

    def do_nothing(self, start, headers, path):
        pass

    def do_garbage(self, start, headers, path):
        self.wfile.write(b"\x1b]0;owned\x07SSH-2.0 hello\r\n")

    def do_escape(self, start, headers, path):
        self.send("500 \x1b[2J\x07 oops", b"\x1b[2J", X="\x1b[31m")

    def do_status(self, start, headers, path):
        self.send(path.split("/")[2] + " Status")

    def do_huge(self, start, headers, path):
        self.send("200 OK", DATA, length=10 ** 13)

    def do_endless(self, start, headers, path):
        self.send("200 OK", b"", length=False)
        while True:
            self.wfile.write(b"\0" * 65536)

    def do_endless_headers(self, start, headers, path):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X: " + b"y" * 8000 + b"\r\n")

    # -- elsewhere

    def do_loop(self, start, headers, path):
        self.send("302 Found", Location=path)

    def do_far(self, start, headers, path):
        self.send("302 Found", Location=path + "/x")

    def do_to_ftp(self, start, headers, path):
        self.send("302 Found", Location="ftp://127.0.0.1/x")

    def do_to_file(self, start, headers, path):
        self.send("302 Found", Location="file:///etc/passwd")

    def do_to_nowhere(self, start, headers, path):
        self.send("302 Found", Location="")

    def do_to_good(self, start, headers, path):
        self.send("301 Moved", Location="/good.tar.gz")

    # -- as it should be

    def do_good(self, start, headers, path):
        self.send("200 OK", DATA)

    def sidecar(self, path, digest):
        if path.partition("?")[0].endswith(".sha256"):
            self.send("200 OK", digest.encode() + b"  file.tar.gz\n")
        else:
            self.send("200 OK", DATA)

    def do_right(self, start, headers, path):
        import hashlib
        self.sidecar(path, hashlib.sha256(DATA).hexdigest())

    def do_wrong(self, start, headers, path):
        self.sidecar(path, "0" * 64)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the other side went away


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
