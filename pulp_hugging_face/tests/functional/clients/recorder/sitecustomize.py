"""
Records what a client process sends, and keeps it on this machine.

Python imports this module at its start in every process whose PYTHONPATH names this folder: the
steps of `steps.py` as well as commands such as `hf download`. It looks at the sockets themselves,
so it needs to know nothing of requests, httpx or aiohttp, and no client can go past it.

`REQUESTS` are lists of [host, method, target, status, headers]; `HOSTS` are all names that were
looked up or connected to. What is not of this machine is refused like a name that does not exist,
which is what it looks like behind a firewall.
"""

import atexit
import json
import os
import socket
import sys
import threading
import weakref

REQUESTS = []
HOSTS = []
METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
KEPT_HEADERS = ("range", "authorization", "accept", "accept-encoding", "if-none-match")

_lock = threading.Lock()
_waiting = weakref.WeakKeyDictionary()


def _sent(sock, data):
    data = bytes(data[:65536])
    if not data.startswith(METHODS) or b" HTTP/1." not in data:
        return
    lines = data.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    pairs = (line.partition(": ") for line in lines[1:])
    headers = {name.lower(): value for name, _, value in pairs}
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    entry = [headers.get("host"), method, target, None, kept]
    with _lock:
        REQUESTS.append(entry)
        _waiting[sock] = entry


def _received(sock, data):
    start = bytes(data[:12])
    if start.startswith(b"HTTP/1.") and len(start) == 12:
        with _lock:
            entry = _waiting.pop(sock, None)
        if entry is not None:
            entry[3] = int(start[9:12])


def _watch_sockets():
    def send(self, data, *rest):
        _sent(self, data)
        return originals["send"](self, data, *rest)

    def sendall(self, data, *rest):
        _sent(self, data)
        return originals["sendall"](self, data, *rest)

    def sendmsg(self, buffers, *rest):
        buffers = list(buffers)
        _sent(self, b"".join(bytes(buffer) for buffer in buffers))
        return originals["sendmsg"](self, buffers, *rest)

    def recv(self, *arguments):
        data = originals["recv"](self, *arguments)
        _received(self, data)
        return data

    def recv_into(self, buffer, *rest):
        count = originals["recv_into"](self, buffer, *rest)
        _received(self, memoryview(buffer)[: min(count, 12)])
        return count

    watched = (send, sendall, sendmsg, recv, recv_into)
    originals = {
        function.__name__: getattr(socket.socket, function.__name__) for function in watched
    }
    for function in watched:
        setattr(socket.socket, function.__name__, function)


def _is_here(host):
    return host in (None, "", "localhost", "::1", "0.0.0.0") or (
        host.startswith("127.") and host.replace(".", "").isdigit()
    )


def _audit(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HOSTS:
        HOSTS.append(host)
    if not _is_here(host):
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is outside of the test")


def _write_down():
    with open(os.environ["CLIENT_RECORD"], "a") as file:
        file.write(json.dumps({"requests": REQUESTS, "hosts": HOSTS}) + "\n")


sys.addaudithook(_audit)
_watch_sockets()
if "CLIENT_RECORD" in os.environ:
    atexit.register(_write_down)
