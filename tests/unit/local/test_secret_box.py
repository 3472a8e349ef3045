"""The box that seals secrets, and its key file."""

from __future__ import annotations

import pytest

from tinymagic.local.secret_box import KEY_FILE, SecretBox, SecretUnreadable

VALUE = "a value, \N{SNOWMAN} and all"


class TestInMemory:
    def test_back(self):
        """What is sealed is opened again, and does not stand in what is kept."""
        box = SecretBox(None)
        sealed = box.seal(VALUE)
        assert box.open(sealed) == VALUE
        assert "value" not in sealed
        assert box.seal(VALUE) != sealed

    def test_another_box(self):
        """Another box has another key and says so."""
        with pytest.raises(SecretUnreadable, match="not the one that it was encrypted with"):
            SecretBox(None).open(SecretBox(None).seal(VALUE))

    @pytest.mark.parametrize("sealed", ["", "x", "\N{SNOWMAN}", "gAAAAA"])
    def test_no_ciphertext(self, sealed):
        """Anything else is refused with the same sentence."""
        with pytest.raises(SecretUnreadable):
            SecretBox(None).open(sealed)


class TestInFolder:
    def test_file(self, tmp_path):
        """The key file comes with the first secret, is private, and serves the next box."""
        box = SecretBox(tmp_path)
        assert not (tmp_path / KEY_FILE).exists()
        sealed = box.seal(VALUE)
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
        assert SecretBox(tmp_path).open(sealed) == VALUE
        assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]

    def test_mode_is_mended(self, tmp_path):
        """A key file that others may read is made private."""
        sealed = SecretBox(tmp_path).seal(VALUE)
        (tmp_path / KEY_FILE).chmod(0o644)
        assert SecretBox(tmp_path).open(sealed) == VALUE
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600

    def test_lost(self, tmp_path):
        """Without its key a secret cannot be opened, and no new key is made by trying."""
        sealed = SecretBox(tmp_path).seal(VALUE)
        (tmp_path / KEY_FILE).unlink()
        with pytest.raises(SecretUnreadable, match="gone"):
            SecretBox(tmp_path).open(sealed)
        assert not (tmp_path / KEY_FILE).exists()
        again = SecretBox(tmp_path)
        again.seal(VALUE)
        with pytest.raises(SecretUnreadable, match="not the one"):
            again.open(sealed)

    @pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 44, b"x" * 5_000])
    def test_damaged(self, tmp_path, content):
        """A damaged key file is named, and not written over."""
        (tmp_path / KEY_FILE).write_bytes(content)
        for use in (lambda box: box.seal(VALUE), lambda box: box.open("gAAAAA")):
            with pytest.raises(SecretUnreadable, match="damaged"):
                use(SecretBox(tmp_path))
        assert (tmp_path / KEY_FILE).read_bytes() == content

    def test_no_link(self, tmp_path):
        """A link in the place of the key file is not followed."""
        (tmp_path / "elsewhere").write_bytes(b"x")
        (tmp_path / KEY_FILE).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(SecretUnreadable, match="cannot be read"):
            SecretBox(tmp_path).seal(VALUE)
