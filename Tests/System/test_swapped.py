"""Directories on the way to a socket's file that others may replace, also between any two steps of the master's."""

import os
import signal
import socket
import subprocess
import unittest

from harness import PATIENCE, ROOST, WORKER, Service
from test_links import NOBODY, LinksTestCase, as_root
from test_listeners import ask

# bind(2) follows its path anew. A neighbour that is exactly in time replaces a directory on the way just before, with the
# rights that whoever binds has at that moment.
NEIGHBOUR = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  const char *path = ((const struct sockaddr_un *)address)->sun_path, *way = getenv("SWAP");
  if (address->sa_family == AF_UNIX && way && strncmp(path, way, strlen(way)) == 0) {
    char aside[200];
    snprintf(aside, sizeof aside, "%s.aside", way);
    if (rename(way, aside) != 0 || symlink(getenv("TARGET"), way) != 0) abort();
  }
  return next(fd, address, length);
}
"""


@as_root
class Ways(LinksTestCase):
    def setUp(self):
        super().setUp()
        # The user's directory holds the one in which the socket is to be.
        self.way = self.theirs / "run"
        self.as_nobody(self.way.mkdir)
        self.file = self.way / "a.sock"
        self.roots = self.folder / "roots"
        self.roots.mkdir()

    def table(self, options="", file=None):
        return f'{{ name = "a", address = "unix:{file or self.file}"{options} }}'

    def refused(self, file, pattern, **environment):
        self.configure(self.table(file=file))
        service = self.start_bare("--config", str(self.folder / "web.toml"), env=dict(os.environ, **environment))
        service.expect(f"cannot listen on a=unix:{file}: {pattern}")
        self.assertEqual(service.wait(), 78)

    def test_root_makes_no_socket_where_a_swapped_directory_leads_to(self):
        swapping = self.neighbour(SWAP=self.way, TARGET=self.roots)
        self.refused(
            self.file,
            f"Permission denied; user {NOBODY.pw_uid} can replace a directory on its path, so it is created with no more rights "
            "than theirs; give it a path on which all directories belong to root",
            **swapping,
        )
        self.assertEqual(os.listdir(self.roots), [], "that user may not write there")

    def test_nor_at_a_reload(self):
        service = self.served("127.0.0.1:0", environment=self.neighbour(SWAP=self.way, TARGET=self.roots))
        self.reload_fails(service, f"cannot listen on a=unix:{self.file}: Permission denied; user", "127.0.0.1:0", self.table())
        self.assertEqual(os.listdir(self.roots), [])

    def test_a_socket_on_such_a_way_is_root_s_and_has_its_name(self):
        service = self.served(self.table())
        status = self.file.stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_uid, status.st_gid), (0o777 & ~self.mask(), 0, 0))
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.file))
            self.assertEqual(client.getpeername(), str(self.file))
        self.reload_with(service, self.table(', mode = "0606", user = "nobody"'))
        status = self.file.stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_uid), (0o606, NOBODY.pw_uid))
        service.expect("generation 1. drained")
        self.assertEqual(ask(f"unix:{self.file}"), ["2", "a"])
        service.signal(signal.SIGUSR2)
        service.expect("upgraded")
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(self.way), [])

    def test_a_dead_socket_on_such_a_way_gives_way_to_one_of_the_wanted_mode(self):
        def leave():
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(self.file))

        self.as_nobody(leave)
        os.chmod(self.way, 0o2755)
        os.chown(self.way, NOBODY.pw_uid, 4)
        os.chmod(self.way, 0o2755)
        self.served(self.table(', mode = "0660"'))
        status = self.file.stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_uid, status.st_gid), (0o660, 0, 4))
        self.assertEqual(ask(f"unix:{self.file}"), ["1", "a"])

    def test_ways_that_a_group_or_everybody_may_change(self):
        for name, group, mode, whom, place_mode in [("groups", 4, 0o775, "group 4", 0o775), ("everybodys", 0, 0o777, "everybody", 0o777)]:
            above = self.folder / name
            place = above / "run"
            place.mkdir(parents=True)
            os.chown(above, 0, group)
            os.chown(place, 0, group)
            above.chmod(mode)
            self.refused(place / "a.sock", f"Permission denied; {whom} can replace a directory on its path")
            place.chmod(place_mode)
            service = self.served(self.table(file=place / "a.sock"))
            self.assertEqual(ask(f"unix:{place}/a.sock"), ["1", "a"])
            self.assertEqual((place / "a.sock").stat().st_uid, 0)
            self.assertEqual(service.stop(), 0)

    def test_with_the_sticky_bit_only_its_owner_replaces_a_directory(self):
        above = self.folder / "sticky"
        above.mkdir()
        above.chmod(0o1777)
        (above / "roots").mkdir()
        service = self.served(self.table(file=above / "roots/a.sock"))
        self.assertEqual(ask(f"unix:{above}/roots/a.sock"), ["1", "a"])
        self.assertEqual(service.stop(), 0)
        self.as_nobody((above / "theirs").mkdir)
        swapping = self.neighbour(SWAP=above / "theirs", TARGET=self.roots)
        self.refused(above / "theirs/a.sock", f"Permission denied; user {NOBODY.pw_uid} can", **swapping)
        self.assertEqual(os.listdir(self.roots), [])

    def test_a_control_directory_that_can_be_replaced_is_refused(self):
        place = self.theirs / "control"
        place.mkdir()
        service = Service(["--control-directory", str(place), "--ready", "pipe", "--settle", "0s", "--", *WORKER])
        self.services.append(service)
        service.expect(
            f"cannot lock {place}/lock: its directory can't be trusted, because user {NOBODY.pw_uid} can replace a directory"
            " on its path: .*--control-directory names another place"
        )
        self.assertEqual(service.wait(), 78)
        self.assertEqual(os.listdir(place), [])

    def test_in_a_user_namespace_the_directories_of_the_host_are_used(self):
        # The host's root isn't mapped there: whose the directories are can't be told, and root there has no more rights.
        file = self.theirs / "a.sock"
        launcher = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "unshare", "-Ur"]
        if subprocess.run([*launcher, "true"], capture_output=True).returncode != 0:
            self.skipTest("no user namespaces")
        (self.folder / "open").mkdir()
        (self.folder / "open").chmod(0o777)
        everybodys = self.folder / "open/theirs"
        self.as_nobody(everybodys.mkdir)
        service = Service(
            [
                "--control-directory",
                str(self.theirs / "control"),
                "--listen",
                f"a=unix:{file}",
                "--listen",
                f"b=unix:{everybodys}/b.sock",
                "--ready",
                "pipe",
                "--settle",
                "0s",
                "--",
                *WORKER,
            ],
            launcher=launcher,
        )
        self.services.append(service)
        service.serving()
        self.assertTrue(file.is_socket())
        result = subprocess.run([*launcher[:-2], ROOST, "reload", "-q", "--control-directory", self.theirs / "control"], timeout=PATIENCE)
        self.assertEqual(result.returncode, 0)

    def neighbour(self, **what):
        return super().neighbour(source=NEIGHBOUR, **what)

    def mask(self):
        mask = os.umask(0)
        os.umask(mask)
        return mask


if __name__ == "__main__":
    unittest.main()
