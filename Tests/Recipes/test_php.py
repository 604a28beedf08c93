import socket
import subprocess
import unittest

from recipes import PATIENCE, RecipeTestCase, free_port


class PHP(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.path = self.folder / "php.sock"
        self.install("php", {"127.0.0.1:8080": f"127.0.0.1:{self.port}", "/run/roost/web/php.sock": str(self.path)})
        self.start_nginx()

    def start_nginx(self):
        """nginx in front, by itself and not under Roost, as FPM needs one."""
        nginx = subprocess.Popen(["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"], stderr=subprocess.DEVNULL)
        self.addCleanup(nginx.wait, PATIENCE)
        self.addCleanup(nginx.terminate)
        self.eventually(self.assert_nginx_listens)

    def assert_nginx_listens(self):
        with socket.socket() as client:
            self.assertEqual(client.connect_ex(("127.0.0.1", self.port)), 0)

    def test_fpm(self):
        """PHP-FPM behind nginx"""
        listener = f"php=unix:{self.path},mode=0660,group=www-data"
        counts = self.run_recipe("fpm", listen=listener, target=f"127.0.0.1:{self.port}")
        self.assert_nothing_lost(counts)


if __name__ == "__main__":
    unittest.main()
