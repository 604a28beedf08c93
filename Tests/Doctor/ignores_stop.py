"""Goes on as before when it is told to stop."""

import signal

from good import Server

server = Server()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server.run()
