"""Leaves a process behind, in a session of its own."""

import subprocess

from good import Server

child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
Server().run()
