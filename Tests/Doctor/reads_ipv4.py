"""Can't read the address of a client that isn't IPv4's, as Perl's servers can't."""

import socket

from good import Server


class ReadsIPv4(Server):
    def serve(self, client):
        if client.family == socket.AF_INET:
            super().serve(client)
        else:
            client.close()


if __name__ == "__main__":
    ReadsIPv4().run()
