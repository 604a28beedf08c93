import shutil
import unittest

from recipes import EXAMPLES, RecipeTestCase


class Shell(RecipeTestCase):
    def setUp(self):
        super().setUp()
        self.install("shell")
        shutil.copy(EXAMPLES / "python/plain.py", self.folder)

    def test_exec(self):
        """a shell that executes the server"""
        self.assert_nothing_lost(self.run_recipe("exec"))

    def test_child(self):
        """a shell around the server"""
        self.assert_nothing_lost(self.run_recipe("child", leaves_processes=True))

    def test_forward(self):
        """a shell that passes the stop signal on"""
        self.assert_nothing_lost(self.run_recipe("forward"))


if __name__ == "__main__":
    unittest.main()
