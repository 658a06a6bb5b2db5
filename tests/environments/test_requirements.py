"""Lists of requirements, and names of environments with versions in them."""

from __future__ import annotations

import re
import string
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from fqbench.environments.recipe import Alternative, Recipe, recipes, target
from fqbench.environments.requirements import parse, read
from fqbench.errors import UsageError

TEXT = """\
# A comment.
# download: 12 MB
# installed: 34 MB
Some_Thing==1.0   # why
other==3; python_version < "3.11"
other==4; python_version >= "3.11"

loose
"""


class TestList:
    def test_what_is_read(self):
        found = parse(TEXT, "here")
        assert (found.download, found.installed) == (12, 34)
        assert [each.name for each in found.each] == ["Some_Thing", "other", "other", "loose"]
        assert parse(found.text, "here").each == found.each

    def test_sizes_that_are_not_said(self):
        assert parse("one==1", "here").installed is None

    def test_lines_that_are_no_requirement(self):
        with pytest.raises(UsageError, match=r"the list, line 2: '-r other.txt' is not a requirem"):
            parse("one\n-r other.txt\n", "the list")

    @pytest.mark.parametrize(
        ("versions", "differences"),
        [
            ({"some-thing": "1.0", "other": "4", "loose": "9", "python": "3.12.1"}, []),
            ({"some-thing": "1.0", "other": "3", "loose": "9", "python": "3.10.2"}, []),
            (
                {"some-thing": "1.1", "other": "3", "python": "3.12.1"},
                [
                    "Some_Thing is 1.1, the list has ==1.0",
                    "other is 3, the list has ==4",
                    "loose is not installed, the list has it",
                ],
            ),
            (
                {"some-thing": "not a version", "other": "4", "loose": "", "python": "3.12.1"},
                ["Some_Thing is not a version, the list has ==1.0"],
            ),
        ],
    )
    def test_what_is_installed_is_compared(self, versions, differences):
        assert parse(TEXT, "here").differences(versions) == differences

    def test_a_version_of_its_own(self):
        found = parse(TEXT, "here").with_version("OTHER", Version("7"))
        assert found.text.splitlines() == ["OTHER==7", "Some_Thing==1.0", "loose"]
        assert found.allows("other", "7.0")
        assert not found.allows("other", "3")

    @pytest.mark.parametrize("name", sorted(recipes()))
    def test_every_list_of_fqbench_is_readable(self, name):
        recipe = recipes()[name]
        assert target(name).requirements.specifiers(recipe.distribution)
        for each in recipe.alternatives:
            assert read(each.requirements, name).specifiers(recipe.distribution)

    def test_what_is_locked_is_so_for_every_python(self):
        locked = target("paddle").requirements
        for python in ("3.10.1", "3.11.1", "3.12.1"):
            names = [each.name for each in locked.applying(python)]
            assert len(names) == len(set(names))
            assert "numpy" in names
        assert all(str(each.specifier).startswith("==") for each in locked.each)


class TestRecipe:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"name": "Tool Kit"}, "name is 'Tool Kit', expected lower-case"),
            ({"name": "here"}, "name is 'here'"),
            ({"requirements": "list.txt"}, "requirements is 'list.txt', expected 'package:path'"),
            ({"python": "new"}, "python is 'new', expected such as"),
        ],
    )
    def test_fields_are_checked(self, changes, message):
        fields = {
            "name": "one",
            "label": "One",
            "requirements": "package:list.txt",
            "python": ">=3.10",
            "distribution": "one",
        }
        Recipe(**fields)
        with pytest.raises(ValueError, match=message):
            Recipe(**{**fields, **changes})

    def test_versions_of_an_alternative_are_checked(self):
        with pytest.raises(ValueError, match="versions is 'new'"):
            Alternative("new", "package:list.txt", ">=3.10")


class TestName:
    def test_the_list_of_a_recipe(self):
        assert target("paddle").version is None
        assert target("paddle==2.6.2").requirements.allows("paddlepaddle", "2.6.2")

    def test_a_list_for_some_versions(self):
        found = target("onnxruntime==1.18.1")
        assert str(found.requirements.each[0]) == "onnxruntime==1.18.1"
        assert not found.requirements.allows("numpy", "2.0")
        assert target("onnxruntime==1.23.2").requirements.allows("numpy", "2.0")

    @pytest.mark.parametrize(
        "name", ["", "../x", "a b", "paddle/..", "paddle==", "paddle==1 2", "paddle==../x", "here "]
    )
    def test_what_cannot_be_a_name(self, name):
        with pytest.raises(UsageError, match="cannot be the name of an environment"):
            target(name)

    def test_what_there_is_no_recipe_of(self):
        with pytest.raises(UsageError, match="no environment 'here': there can be modelopt, nncf"):
            target("here")

    def test_what_is_no_version(self):
        with pytest.raises(UsageError, match="'new' is not a version of onnxruntime: expected one"):
            target("onnxruntime==new")

    def test_a_version_that_no_list_is_for(self):
        message = "no list of requirements for paddlepaddle 2.5: there are some for ==2.6.2 and >=3"
        with pytest.raises(UsageError, match=message):
            target("paddle==2.5")

    @settings(deadline=None)
    @given(st.text(max_size=30) | st.text(string.ascii_lowercase + "=.!+-_/ \n0123456789"))
    def test_any_text_is_a_name_or_refused(self, text):
        for name in (text, f"onnxruntime=={text}"):
            with suppress(UsageError):
                assert re.fullmatch(r"[a-z0-9_]+(==[0-9a-z.!+]+)?", target(name).name)

    @settings(deadline=None)
    @given(
        st.lists(st.integers(0, 99), min_size=1, max_size=4),
        st.sampled_from(["", "rc1", ".post2", ".dev3", "+cu12"]),
    )
    def test_a_version_is_itself_however_it_is_written(self, numbers, suffix):
        text = ".".join(map(str, numbers)) + suffix
        found = target(f"onnxruntime=={text}")
        assert found.version == Version(text)
        assert target(found.name) == found
        assert found.matches({"onnxruntime": text})
