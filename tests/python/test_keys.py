"""The files with keys: what is taken, and what is refused with a word on what to mend."""

import os
import tempfile
import unittest

from factclient.keys import FILE_BYTES_MAX, SERVER_KEYS_MAX, read_keys

# source: ZeroMQ RFC 26, the test keys of its appendix
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.pair = self.write("own.secret", "curve\n", ("public-key", PUBLIC), ("secret-key", SECRET))
        self.server = self.write("broker.public", "curve\n", ("public-key", PUBLIC))

    def write(self, name, text, *keys, mode=0o600):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="latin-1") as file:
            file.write("# \xe9 for people\n" + text)
            file.write("".join(f'    {key} = "{value}"\n' for key, value in keys))
        os.chmod(path, mode)
        return path

    def refused(self, pair, server, *words):
        with self.assertRaises(ValueError) as caught:
            read_keys(pair, server)
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertNotIn(SECRET, str(caught.exception))

    def test_a_pair_and_a_servers_key_are_read_and_the_secret_is_not_shown(self):
        keys = read_keys(self.pair, self.server)
        self.assertEqual((keys.public, keys.secret), (PUBLIC.encode(), SECRET.encode()))
        self.assertEqual(keys.servers, (PUBLIC.encode(),))
        self.assertNotIn(SECRET, repr(keys))
        self.assertIsNone(read_keys(None, None))

    def test_both_or_neither(self):
        self.refused(self.pair, None, "server_key_file", "both")
        self.refused(None, self.server, "key_file", "both")

    def test_a_secret_that_others_may_read_is_refused(self):
        for mode in (0o640, 0o604, 0o620, 0o601):
            os.chmod(self.pair, mode)
            self.refused(self.pair, self.server, "chmod 600", self.pair)
        os.chmod(self.pair, 0o400)
        self.assertIsNotNone(read_keys(self.pair, self.server))
        os.chmod(self.server, 0o644)
        self.assertIsNotNone(read_keys(self.pair, self.server))

    def test_a_file_that_is_not_there_is_told(self):
        with self.assertRaises(FileNotFoundError):
            read_keys(self.pair + "x", self.server)

    def test_what_holds_no_pair_is_refused(self):
        for keys in (
            (),
            (("public-key", PUBLIC),),
            (("secret-key", SECRET),),
            (("public-key", PUBLIC), ("secret-key", SECRET[:-1])),
            (("public-key", PUBLIC), ("secret-key", "~" + SECRET[1:])),
            (("public-key", PUBLIC), ("secret-key", "#" * 40)),  # five of them are beyond 32 bits
            (("public-key", PUBLIC),) * 2 + (("secret-key", SECRET),),
        ):
            with self.subTest(keys):
                self.refused(self.write("bad", "", *keys), self.server, "fact keys generate")
        long = self.write("long", "#" * FILE_BYTES_MAX + "\n", ("public-key", PUBLIC), ("secret-key", SECRET))
        self.refused(long, self.server, "fact keys generate")

    def test_a_server_may_have_up_to_four_keys(self):
        several = self.write("several", "", *[("public-key", PUBLIC)] * SERVER_KEYS_MAX)
        self.assertEqual(len(read_keys(self.pair, several).servers), SERVER_KEYS_MAX)
        for count in (0, SERVER_KEYS_MAX + 1):
            many = self.write("many", "", *[("public-key", PUBLIC)] * count)
            self.refused(self.pair, many, "NAME.public")

    def test_quotes_blanks_and_line_ends_do_not_matter(self):
        path = self.write("loose", f"\tpublic-key={PUBLIC} \r\nsecret-key  =\t\"{SECRET}\"\r\n")
        self.assertEqual(read_keys(path, path).secret, SECRET.encode())
        path = self.write("other", "public-keys = x\n", ("public-key", PUBLIC), ("secret-key", SECRET))
        self.assertEqual(read_keys(path, path).public, PUBLIC.encode())


if __name__ == "__main__":
    unittest.main()
