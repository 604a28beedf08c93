import unittest

from recipes import ONCE_A_RETIREE, RecipeTestCase


class Perl(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.install("perl")

    def test_starlet(self):
        """Starlet"""
        self.assert_nothing_lost(self.run_recipe("starlet"))

    def test_starman(self):
        """Starman"""
        # Each of its ten processes may lose one when it is told to end, so a client may be hit more than once.
        self.assert_lost_at_most(self.run_recipe("starman"), kept_alive=ONCE_A_RETIREE, new=2 * ONCE_A_RETIREE)


if __name__ == "__main__":
    unittest.main()
