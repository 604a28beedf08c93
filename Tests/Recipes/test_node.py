import unittest

from recipes import ONCE_A_RELOAD, RecipeTestCase


class Node(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.install("node")

    def test_http(self):
        """Node http"""
        self.assert_lost_at_most(self.run_recipe("plain"), kept_alive=ONCE_A_RELOAD)

    def test_http_draining(self):
        """Node http, draining"""
        self.assert_nothing_lost(self.run_recipe("draining"))


if __name__ == "__main__":
    unittest.main()
