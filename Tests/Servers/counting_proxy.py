"""Passes TCP on to another port of loopback, says what went by, and breaks connections when told to.

usage: counting_proxy.py PORT [CUT TIMES]   prints "port N ready"; the first TIMES connections break after CUT bytes from the
server. For each request line that goes by prints "request LINE", for each connection that ends "moved UP DOWN".
"""
import re, socket, sys, threading

target = int(sys.argv[1])
cut, times = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (0, 0)
lock = threading.Lock()
head = re.compile(rb"^(GET|PUT|POST|HEAD|DELETE) [^ ]+ HTTP/1.1\r$", re.M)


def serve(client):
    global times
    server = socket.create_connection(("127.0.0.1", target))
    moved = [0, 0]

    def up():
        try:
            while piece := client.recv(1 << 16):
                for line in head.finditer(piece):
                    print("request", line.group().decode().strip(), flush=True)
                moved[0] += len(piece)
                server.sendall(piece)
        except OSError:
            pass
        try:
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    thread = threading.Thread(target=up, daemon=True)
    thread.start()
    try:
        while piece := server.recv(1 << 14):
            with lock:
                breaks = times > 0 and moved[1] + len(piece) > cut
                times -= breaks
            if breaks:
                piece = piece[:cut - moved[1]]
            client.sendall(piece)
            moved[1] += len(piece)
            if breaks:
                break
    except OSError:
        pass
    for end in (client, server):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()
    print("moved", *moved, flush=True)


listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print("port", listener.getsockname()[1], "ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
