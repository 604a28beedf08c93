import unittest

from recipes import ONCE_A_RETIREE, RecipeTestCase


class Ruby(RecipeTestCase):
    def test_puma(self):
        """puma"""
        self.install("ruby")
        self.assert_nothing_lost(self.run_recipe("puma"))

    def test_puma_that_queues_requests(self):
        """puma that queues requests"""
        self.install("ruby", {"queue_requests false": ""})
        self.assert_lost_at_most(self.run_recipe("puma"), kept_alive=ONCE_A_RETIREE, new=ONCE_A_RETIREE)


if __name__ == "__main__":
    unittest.main()
