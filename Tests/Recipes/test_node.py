import unittest

from recipes import ONCE_A_RETIREE, RecipeTestCase


class Node(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.install("node")

    def test_http(self):
        """Node http"""
        self.assert_lost_at_most(self.run_recipe("plain"), kept_alive=2 * ONCE_A_RETIREE)

    def test_http_draining(self):
        """Node http, draining"""
        self.assert_nothing_lost(self.run_recipe("draining"))

    def test_http_draining_stands_still(self):
        self.assert_nothing_lost_by_standing_still("draining")


if __name__ == "__main__":
    unittest.main()
