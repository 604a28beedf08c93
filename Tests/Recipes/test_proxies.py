import unittest

from recipes import ONCE_A_RETIREE, RecipeTestCase, free_port


class Proxies(RecipeTestCase):
    def nginx(self, changes=()):
        port = free_port()
        self.install("proxies", {"127.0.0.1:8080": f"127.0.0.1:{port}", "/run/web": f"{self.folder}/web", **dict(changes)})
        return self.run_recipe("nginx", listen=f"http=127.0.0.1:{port}", header="X-Pid")

    def test_nginx(self):
        """nginx"""
        self.assert_lost_at_most(self.nginx(), kept_alive=ONCE_A_RETIREE)

    def test_nginx_without_keepalive(self):
        """nginx, keepalive_timeout 0"""
        self.assert_nothing_lost(self.nginx({"access_log off;": "access_log off; keepalive_timeout 0;"}))

    def test_haproxy(self):
        """HAProxy"""
        self.install("proxies")
        self.assert_nothing_lost(self.run_recipe("haproxy"))


if __name__ == "__main__":
    unittest.main()
