import shutil
import unittest

from recipes import BUILD, ONCE_A_RETIREE, RecipeTestCase


class Go(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.install("go")
        for name in "plain", "draining":
            shutil.copy(BUILD / "go" / name, self.folder / name)

    def test_net_http(self):
        """Go net/http"""
        self.assert_lost_at_most(self.run_recipe("plain"), kept_alive=2 * ONCE_A_RETIREE)

    def test_net_http_draining(self):
        """Go net/http, draining"""
        self.assert_nothing_lost(self.run_recipe("draining"))

    def test_net_http_draining_stands_still(self):
        self.assert_nothing_lost_by_standing_still("draining")


if __name__ == "__main__":
    unittest.main()
