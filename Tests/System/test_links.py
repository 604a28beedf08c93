"""Paths that others may replace: links, FIFOs and files where the master's are to be. A master of root must not be led to
what they lead to."""

import os
import pwd
import shutil
import socket
import subprocess
import unittest

from harness import PATIENCE, ROOST, WORKER, Service, remove_tree
from test_listeners import ListenersTestCase, ask, passing

NOBODY = pwd.getpwnam("nobody")
as_root = unittest.skipUnless(os.geteuid() == 0, "only root may do for others what they mustn't")

# Plays a neighbour who is exactly in time: as soon as a socket's file is there, a link has its name. It can also take /proc
# away for the change of permissions. What it does comes from the environment.
NEIGHBOUR = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  int result = next(fd, address, length);
  const char *path = ((const struct sockaddr_un *)address)->sun_path, *wanted = getenv("SWAP");
  if (result == 0 && wanted && address->sa_family == AF_UNIX && strcmp(path, wanted) == 0) {
    char aside[200];
    snprintf(aside, sizeof aside, "%s.aside", path);
    if (rename(path, aside) != 0 || symlink(getenv("TARGET"), path) != 0) abort();
  }
  return result;
}

int chmod(const char *path, mode_t mode) {
  int (*next)(const char *, mode_t) = dlsym(RTLD_NEXT, "chmod");
  if (!getenv("WITHOUT_PROC") || strncmp(path, "/proc/", 6) != 0) return next(path, mode);
  errno = ENOENT;
  return -1;
}
"""


class LinksTestCase(ListenersTestCase):
    def setUp(self):
        super().setUp()
        # A folder of the user as whom the workers run, who may do there what they want.
        self.folder.chmod(0o755)
        self.theirs = self.folder / "theirs"
        self.theirs.mkdir()
        if os.geteuid() == 0:
            os.chown(self.theirs, NOBODY.pw_uid, NOBODY.pw_gid)
        self.precious = self.folder / "precious"
        self.precious.write_text("precious")
        self.precious.chmod(0o600)

    def as_nobody(self, action):
        """Does something as that user, in a process of its own."""
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(NOBODY.pw_gid)
                    os.setuid(NOBODY.pw_uid)
                action()
                os._exit(0)
            finally:
                os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def assert_untouched(self):
        status = self.precious.stat()
        self.assertEqual((self.precious.read_text(), status.st_mode & 0o7777, status.st_uid), ("precious", 0o600, os.geteuid()))

    def neighbour(self, source=NEIGHBOUR, **what):
        """The environment of a master with that neighbour."""
        compiler = shutil.which("cc") or shutil.which("clang")
        if not compiler:
            self.skipTest("no compiler")
        file, library = self.folder / "neighbour.c", self.folder / "neighbour.so"
        file.write_text(source)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, file, "-ldl"], check=True)
        what = {"TARGET": self.precious, **what}
        return dict(os.environ, LD_PRELOAD=str(library), **{name: str(value) for name, value in what.items()})


class SocketFiles(LinksTestCase):
    def table(self, file, options):
        return f'{{ name = "a", address = "unix:{file}", {options} }}'

    def test_a_reload_does_not_give_a_link_s_target_away(self):
        file = self.theirs / "a.sock"
        service = self.served(self.table(file, 'mode = "0600"'))

        def swap():
            file.rename(self.theirs / "aside")
            file.symlink_to(self.precious)

        self.as_nobody(swap)
        self.reload_fails(
            service,
            f"cannot listen on a=unix:{file}: the file exists and isn't a socket",
            self.table(file, 'mode = "0666", user = "nobody"' if os.geteuid() == 0 else 'mode = "0666"'),
        )
        self.assert_untouched()
        self.assertEqual(service.stop(), 0)
        self.assertTrue(file.is_symlink(), "it isn't the master's to remove")

    def test_nor_where_the_link_comes_between_the_look_and_the_change(self):
        # The candidate itself does it: it has the rights of its user, and is ready when it is done.
        file = self.theirs / "a.sock"
        script = (
            f"test $ROOST_GENERATION = 2 && mv {file} {file}.aside && ln -s {self.precious} {file}; echo >&$READY_FD; "
            "exec tail -f /dev/null"
        )
        command = ["sh", "-c", script]
        more = 'user = "nobody"\n' if os.geteuid() == 0 else ""
        service = self.served(self.table(file, 'mode = "0600"'), command=command, more=more)
        self.reload_with(service, self.table(file, 'mode = "0666"'), command=command, more=more)
        service.log.expect_count(f"cannot change the permissions of a=unix:{file}: it is another file now", 1)
        self.assert_untouched()

    def test_nor_at_the_start_between_bind_and_chmod(self):
        file = self.theirs / "a.sock"
        self.configure(self.table(file, 'mode = "0666", user = "nobody"' if os.geteuid() == 0 else 'mode = "0666"'))
        service = self.start_bare("--config", str(self.folder / "web.toml"), env=self.neighbour(SWAP=file))
        service.expect(f"cannot listen on a=unix:{file}: another file has taken the place of the socket's")
        self.assertEqual(service.wait(), 78)
        self.assert_untouched()

    def test_nor_where_systemd_has_opened_the_socket(self):
        file = self.theirs / "a.sock"
        with socket.socket(socket.AF_UNIX) as passed:
            passed.bind(str(file))
            passed.listen()
            file.rename(self.theirs / "aside")
            file.symlink_to(self.precious)
            self.configure(self.table(file, 'mode = "0666"'))
            service = self.start_bare("--config", str(self.folder / "web.toml"), **passing([passed], ["a"]))
            service.expect(f"cannot listen on a=unix:{file}: another file has taken the place of the socket's")
            self.assertEqual(service.wait(), 78)
        self.assert_untouched()

    @as_root
    def test_a_directory_of_the_workers_user_is_served_and_its_files_change_hands(self):
        file = self.theirs / "a.sock"
        service = self.served(self.table(file, 'mode = "0640", user = "nobody"'))
        status = file.stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_uid), (0o640, NOBODY.pw_uid))
        self.reload_with(service, self.table(file, 'mode = "0606", user = "root", group = "nogroup"'))
        status = file.stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_uid, status.st_gid), (0o606, 0, NOBODY.pw_gid))
        service.expect("generation 1. drained")
        self.assertEqual(ask(f"unix:{file}"), ["2", "a"])
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(self.theirs), [])

    @as_root
    def test_permissions_change_with_the_capabilities_that_the_unit_leaves(self):
        file = self.theirs / "a.sock"
        launcher = ["setpriv", "--bounding-set=-fowner,-fsetid,-dac_read_search"]
        self.configure(self.table(file, 'mode = "0600", user = "nobody"'))
        service = self.start_bare("--config", str(self.folder / "web.toml"), launcher=launcher).serving()
        self.reload_with(service, self.table(file, 'mode = "0640", user = "nobody"'))
        status = file.stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_uid), (0o640, NOBODY.pw_uid))
        self.assertEqual(service.log.count("cannot change the permissions"), 0)

    def test_permissions_change_without_proc_where_the_kernel_can(self):
        file = self.theirs / "a.sock"
        service = self.served(self.table(file, 'mode = "0600"'), environment=self.neighbour(WITHOUT_PROC=1))
        self.reload_with(service, self.table(file, 'mode = "0666"'))
        service.expect("generation 1. drained")
        if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 6):
            self.assertEqual(file.stat().st_mode & 0o777, 0o666)
        else:
            self.assertEqual(service.log.count("cannot change the permissions of a=.*: /proc is missing"), 1)
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)

    @as_root
    def test_a_link_that_another_user_can_change_is_not_followed_to_a_directory(self):
        place = self.folder / "roots"
        place.mkdir()
        self.as_nobody(lambda: (self.theirs / "run").symlink_to(place))
        file = self.theirs / "run/a.sock"
        self.configure(f"a=unix:{file}")
        service = self.start_bare("--config", str(self.folder / "web.toml"))
        service.expect(
            rf"cannot listen on a=unix:{file}: 'run' in it is a symbolic link that user {NOBODY.pw_uid} can change, and root doesn't "
            r"follow such a link; give the path that it leads to"
        )
        self.assertEqual(service.wait(), 78)
        self.assertEqual(os.listdir(place), [])

    def test_a_link_of_the_operator_s_own_is(self):
        place = self.folder / "roots"
        place.mkdir()
        (self.folder / "run").symlink_to("./nothing/../roots")
        (self.folder / "nothing").mkdir()
        file = self.folder / "run/a.sock"
        service = self.served(f"a=unix:{file}")
        self.assertEqual(ask(f"unix:{file}"), ["1", "a"])
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.log.count("listening on"), 1)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(place), [])


class PidFiles(LinksTestCase):
    def test_a_link_under_a_name_that_can_be_guessed_is_not_written_to(self):
        path = self.theirs / "pid"

        def place(pid):
            (self.theirs / f"pid.{pid}").symlink_to(self.precious)
            (self.theirs / f".pid.{pid}").symlink_to(self.precious)

        # The process that becomes the master: its neighbour knows the pid.
        service = self.start("--pid-file", str(path), preexec_fn=lambda: place(os.getpid())).serving()
        self.assert_untouched()
        self.assertEqual(path.read_text(), f"{service.pid}\n")
        self.assertEqual(service.stop(), 0)
        self.assertFalse(path.exists())

    def test_a_link_in_its_place_gives_way_and_its_target_does_not(self):
        path = self.theirs / "pid"
        path.symlink_to(self.precious)
        service = self.start("--pid-file", str(path)).serving()
        self.assert_untouched()
        self.assertEqual(path.read_text(), f"{service.pid}\n")
        self.assertFalse(path.is_symlink())

    def test_a_fifo_in_its_place_stops_nobody(self):
        path = self.theirs / "pid"
        service = self.start("--pid-file", str(path)).serving()
        path.unlink()
        os.mkfifo(path)
        self.assertEqual(service.stop(), 0)
        self.assertTrue(path.is_fifo(), "it isn't the master's to remove")

    def test_a_reload_looks_at_a_fifo_and_does_not_wait(self):
        path = self.theirs / "pid"
        service = self.start("--pid-file", str(path)).serving()
        path.unlink()
        os.mkfifo(path)
        self.assertIn("succeeded", service.reload())
        self.assertTrue(path.is_file())
        self.assertEqual(path.read_text(), f"{service.pid}\n")

    @as_root
    def test_it_is_not_written_through_a_link_that_another_user_can_change(self):
        place = self.folder / "roots"
        place.mkdir()
        (place / "web").write_text("precious")
        self.as_nobody(lambda: (self.theirs / "run").symlink_to(place))
        service = self.start("--pid-file", str(self.theirs / "run/web"))
        service.expect("cannot write the pid file .*/run/web: 'run' in it is a symbolic link that user")
        self.assertEqual(service.wait(), 78)
        self.assertEqual((place / "web").read_text(), "precious")

    def test_no_temporary_file_is_left(self):
        path = self.theirs / "pid"
        path.mkdir()
        service = self.start("--pid-file", str(path))
        service.expect(f"cannot write the pid file {path}: Is a directory")
        self.assertEqual(service.wait(), 78)
        self.assertEqual(os.listdir(self.theirs), ["pid"])


class ControlDirectories(LinksTestCase):
    def refused(self, directory, pattern):
        service = Service(["--control-directory", str(directory), "--ready", "pipe", "--settle", "0s", "--", *WORKER])
        self.services.append(service)
        service.expect(pattern)
        self.assertEqual(service.wait(), 78)

    @as_root
    def test_one_of_another_user_is_refused(self):
        self.refused(
            self.theirs,
            f"cannot lock {self.theirs}/lock: its directory can't be trusted, because it belongs to user {NOBODY.pw_uid}: "
            ".*--control-directory names another place",
        )
        self.assertEqual(os.listdir(self.theirs), [])

    def test_one_that_others_may_write_to_is_refused(self):
        place = self.folder / "open"
        place.mkdir()
        place.chmod(0o777)
        self.refused(place, f"cannot lock {place}/lock: its directory can't be trusted, because everybody may write to it")
        if os.geteuid() == 0:
            os.chown(place, 0, NOBODY.pw_gid)
            place.chmod(0o770)
            self.refused(place, f"because group {NOBODY.pw_gid} may write to it")
        self.assertEqual(os.listdir(place), [])

    @as_root
    def test_one_of_the_master_s_user_is_used_by_it(self):
        for place, mode in [(self.theirs, 0o755), (self.folder / "sticky", 0o1777)]:
            place.mkdir(exist_ok=True)
            place.chmod(mode)
            launcher = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
            service = Service(["--control-directory", str(place), "--ready", "pipe", "--settle", "0s", "--", *WORKER], launcher=launcher)
            self.services.append(service)
            service.serving()
            result = subprocess.run([ROOST, "reload", "-q", "--control-directory", place], timeout=PATIENCE)
            self.assertEqual(result.returncode, 0)
            self.assertEqual(service.stop(), 0)
            self.assertEqual(os.listdir(place), ["history.json"])

    def test_its_path_may_end_with_a_slash_and_the_one_above_it_is_made(self):
        place = self.folder / "above/place"
        service = Service(["--control-directory", f"{place}/", "--ready", "pipe", "--settle", "0s", "--", *WORKER])
        self.services.append(service)
        service.serving()
        self.assertLessEqual({"control", "lock"}, set(os.listdir(place)))
        remove_tree(place.parent)
        self.assertIn("succeeded", service.reload())
        self.assertLessEqual({"control", "lock"}, set(os.listdir(place)))
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(place), ["history.json"])

    def test_a_link_in_the_lock_s_place_is_not_followed(self):
        for target in [self.precious, self.folder / "new"]:
            place = self.folder / f"control-{len(self.services)}"
            place.mkdir()
            (place / "lock").symlink_to(target)
            service = self.start()
            service.expect(f"cannot lock {place}/lock: it is a symbolic link")
            self.assertEqual(service.wait(), 78)
        self.assert_untouched()
        self.assertFalse((self.folder / "new").exists())

    def test_a_fifo_in_the_lock_s_place_stops_nobody(self):
        place = self.folder / "control-0"
        place.mkdir()
        os.mkfifo(place / "lock")
        service = self.start()
        service.expect(f"cannot lock {place}/lock: it isn't a regular file")
        self.assertEqual(service.wait(), 78)

    @as_root
    def test_a_lock_of_another_user_is_not_believed(self):
        place = self.folder / "control-0"
        place.mkdir()
        (place / "lock").write_text("")
        os.chown(place / "lock", NOBODY.pw_uid, -1)
        service = self.start()
        service.expect(f"cannot lock {place}/lock: it belongs to user {NOBODY.pw_uid}")
        self.assertEqual(service.wait(), 78)

    def test_a_file_that_is_no_socket_is_not_removed_for_the_control_socket(self):
        place = self.folder / "control-0"
        place.mkdir()
        (place / "control").write_text("precious")
        service = self.start()
        service.expect(f"cannot open the control socket {place}/control: the file exists and isn't a socket")
        self.assertEqual(service.wait(), 78)
        self.assertEqual((place / "control").read_text(), "precious")

    def test_the_control_socket_s_permissions_are_its_own(self):
        place = self.folder / "control-0"
        service = self.start(env=self.neighbour(SWAP=place / "control"))
        service.expect("cannot open the control socket .*: another file has taken the place of the socket's")
        self.assertEqual(service.wait(), 78)
        self.assert_untouched()

    def test_the_acknowledgements_socket_s_permissions_are_its_own(self):
        place = self.folder / "control-0"
        service = self.start("--compatibility", "einhorn", "--start-attempts", "1", env=self.neighbour(SWAP=place / "einhorn.sock"))
        service.expect("start failed: .*cannot open the socket for acknowledgements .*: another file has taken the place of the socket's")
        self.assertEqual(service.wait(), 1)
        self.assert_untouched()

    def test_a_pointer_takes_the_place_of_no_file(self):
        usual = self.folder / "usual"
        usual.mkdir()
        (usual / "control").write_text("precious")
        service = self.start(env=dict(os.environ, RUNTIME_DIRECTORY=str(usual))).serving()
        self.assertEqual(service.log.count(f"{usual}/control is in use"), 1)
        self.assertEqual((usual / "control").read_text(), "precious")


if __name__ == "__main__":
    unittest.main()
