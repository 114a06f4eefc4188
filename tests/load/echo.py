"""An upstream that answers every message of 64 bytes by another, as a process: it prints its port, and runs.

It takes a message for so many bytes, and looks at none: what is measured is in front of it.
"""

import select
import socket

from tests.heads import switching

PAYLOAD = b"x" * 64
MESSAGE = b"\x81\x40" + PAYLOAD
MASKED = b"\x81\xc0" + bytes(4) + PAYLOAD


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    opening: dict[int, bytes] = {}
    open_: dict[int, socket.socket] = {}
    behind: dict[int, int] = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                poll.register(sock, select.EPOLLIN)
                open_[sock.fileno()], opening[sock.fileno()], behind[sock.fileno()] = sock, b"", 0
                continue
            sock = open_[number]
            try:
                data = sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                open_.pop(number).close()
                opening.pop(number, None)
                continue
            if number in opening:
                opening[number] += data
                if opening[number].endswith(b"\r\n\r\n"):
                    sock.sendall(switching(opening.pop(number)))
                continue
            count, behind[number] = divmod(behind[number] + len(data), len(MASKED))
            sock.sendall(MESSAGE * count)


if __name__ == "__main__":
    main()
