"""Serves no client of IPv4 whose address comes as one of IPv6, as access lists of some servers do."""

from good import Server


class ReadsIPv6(Server):
    def serve(self, client):
        if client.getpeername()[0].startswith("::ffff:"):
            client.close()
        else:
            super().serve(client)


if __name__ == "__main__":
    ReadsIPv6().run()
