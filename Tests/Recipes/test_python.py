import unittest

from recipes import ONCE_A_RETIREE, RecipeTestCase


class Python(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.install("python")

    def test_uvicorn(self):
        """uvicorn"""
        self.assert_lost_at_most(self.run_recipe("uvicorn"), kept_alive=ONCE_A_RETIREE, new=ONCE_A_RETIREE)

    def test_uvicorn_draining(self):
        """uvicorn, draining"""
        self.assert_nothing_lost(self.run_recipe("uvicorn_draining"))

    def test_uvicorn_draining_stands_still(self):
        self.assert_nothing_lost_by_standing_still("uvicorn_draining")

    def test_gunicorn_sync(self):
        """gunicorn, sync"""
        self.assert_nothing_lost(self.run_recipe("gunicorn_sync"))

    def test_gunicorn_threads(self):
        """gunicorn, gthread"""
        self.assert_nothing_lost(self.run_recipe("gunicorn_threads"))

    def test_hypercorn(self):
        """hypercorn"""
        self.assert_lost_at_most(self.run_recipe("hypercorn"), kept_alive=ONCE_A_RETIREE, new=ONCE_A_RETIREE)

    def test_hypercorn_draining(self):
        """hypercorn, draining"""
        self.assert_nothing_lost(self.run_recipe("hypercorn_draining"))

    def test_hypercorn_draining_stands_still(self):
        self.assert_nothing_lost_by_standing_still("hypercorn_draining")

    def test_granian(self):
        """granian"""
        self.assert_lost_at_most(self.run_recipe("granian"), kept_alive=ONCE_A_RETIREE, new=ONCE_A_RETIREE)

    def test_waitress(self):
        """waitress"""
        self.assert_lost_at_most(self.run_recipe("waitress"), kept_alive=ONCE_A_RETIREE, new=ONCE_A_RETIREE)

    def test_waitress_draining(self):
        """waitress, draining"""
        self.assert_nothing_lost(self.run_recipe("waitress_draining"))

    def test_waitress_draining_stands_still(self):
        self.assert_nothing_lost_by_standing_still("waitress_draining")

    def test_asyncio(self):
        """asyncio alone"""
        self.assert_nothing_lost(self.run_recipe("plain"))

    def test_asyncio_stands_still(self):
        self.assert_nothing_lost_by_standing_still("plain", reads_bodies=False)


if __name__ == "__main__":
    unittest.main()
