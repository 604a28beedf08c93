"""Closes each connection that it has accepted."""

from good import Server


class DropsEverything(Server):
    def serve(self, client):
        client.close()


if __name__ == "__main__":
    DropsEverything().run()
