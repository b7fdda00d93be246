# SPDX-License-Identifier: BSD-3-Clause
"""find_class: every way a dotted class name can be wrong has an error of its own."""

import sys

import pytest
from harness.stage import (
    ClassLookupError,
    NoOpParallelProcessing,
    ParallelProcessing,
    SerialProcessing,
    WrongClassError,
    find_class,
)

NOOP = "harness.stage.NoOpParallelProcessing"


@pytest.fixture
def survey(tmp_path, monkeypatch):
    """A package `survey_pkg` with good, broken and unrelated modules."""
    package = tmp_path / "survey_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "warp.py").write_text(
        "from harness.stage import ParallelProcessing, SerialProcessing, Stage\n"
        "class WarpSerial(SerialProcessing): pass\n"
        "class WarpParallel(ParallelProcessing): pass\n"
        "class WarpStage(Stage): serialClass = WarpSerial\n"
        "class Plain: pass\n"
        "def function(): pass\n"
    )
    (package / "needy.py").write_text("import survey_pkg.warp\nimport no_such_dependency\n")
    (package / "needs_sibling.py").write_text("import survey_pkg.needs_sibling_too\n")
    (package / "raising.py").write_text("raise ZeroDivisionError('at import')\n")
    (package / "broken.py").write_text("def f(:\n")
    (package / "empty.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "survey_pkg"]:
        del sys.modules[name]


def failure(kind, name, base=SerialProcessing):
    with pytest.raises(kind) as caught:
        find_class(name, base)
    return caught.value


@pytest.mark.contract("2.6.names")
def test_a_class_is_found_by_its_dotted_name_and_blanks_do_not_matter(survey):
    assert find_class("survey_pkg.warp.WarpSerial", SerialProcessing).__name__ == "WarpSerial"
    assert find_class(f"  {NOOP}\t", ParallelProcessing) is NoOpParallelProcessing


def test_the_base_itself_is_accepted():
    assert find_class("harness.stage.SerialProcessing", SerialProcessing) is SerialProcessing


def test_without_a_base_any_class_will_do():
    assert find_class("collections.OrderedDict").__name__ == "OrderedDict"


def test_missing_top_module_is_named_with_near_matches(survey):
    error = failure(ClassLookupError, "survey_pgk.warp.WarpSerial")
    assert "class 'survey_pgk.warp.WarpSerial'" in str(error)
    assert "a subclass of harness.stage.processing.SerialProcessing" in str(error)
    assert "there is no module 'survey_pgk'; did you mean 'survey_pkg'?" in str(error)
    assert error.name == "survey_pgk"


def test_missing_top_module_without_near_match_points_at_pythonpath():
    assert "on PYTHONPATH" in str(failure(ClassLookupError, "qqqxyzzy.warp.WarpSerial"))


@pytest.mark.parametrize("name", ["mypype.py", "mypype/"])
def test_missing_top_module_in_the_current_directory_is_pointed_at(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    message = str(failure(ClassLookupError, "mypype.warp.WarpSerial"))
    assert f"there is one in {tmp_path}: add that directory to PYTHONPATH" in message
    assert "did you mean" not in message


def test_missing_attribute_without_near_class_lists_some_without_guessing(survey):
    message = str(failure(ClassLookupError, "survey_pkg.warp.Qqqxyzzy"))
    assert "classes in it that would do: survey_pkg.warp." in message
    assert "did you mean" not in message


def test_missing_submodule_is_named_with_its_siblings(survey):
    error = failure(ClassLookupError, "survey_pkg.wrap.WarpSerial")
    assert "there is no module 'survey_pkg.wrap'; did you mean 'survey_pkg.warp'?" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_missing_submodule_without_near_match_lists_the_package(survey):
    message = str(failure(ClassLookupError, "survey_pkg.qqqxyzzy.WarpSerial"))
    assert "package 'survey_pkg' holds broken, empty, needs_sibling, needy, raising, warp" in message


def test_a_module_taken_for_a_package_is_named(survey):
    message = str(failure(ClassLookupError, "survey_pkg.warp.deep.WarpSerial"))
    assert (
        "there is no module 'survey_pkg.warp.deep'; 'survey_pkg.warp' is a module, not a package" in message
    )


def test_missing_attribute_is_named_with_the_file_and_near_classes(survey):
    error = failure(ClassLookupError, "survey_pkg.warp.WarpSeral")
    assert f"module 'survey_pkg.warp' ({survey / 'warp.py'}) has no attribute 'WarpSeral'" in str(error)
    assert "did you mean 'survey_pkg.warp.WarpSerial'?" in str(error)
    assert "WarpParallel" not in str(error)
    assert isinstance(error.__cause__, AttributeError)
    assert error.path == str(survey / "warp.py")


def test_missing_attribute_in_a_module_without_stages_says_so(survey):
    assert "no class in it would do" in str(failure(ClassLookupError, "survey_pkg.empty.WarpSerial"))


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        ("needy", ModuleNotFoundError),
        ("needs_sibling", ModuleNotFoundError),
        ("raising", ZeroDivisionError),
        ("broken", SyntaxError),
    ],
)
def test_error_inside_the_module_is_chained_and_told_from_a_missing_module(survey, module, cause):
    error = failure(ClassLookupError, f"survey_pkg.{module}.WarpSerial")
    assert f"module 'survey_pkg.{module}' exists, but importing it failed with {cause.__name__}" in str(error)
    assert isinstance(error.__cause__, cause)


def test_every_lookup_failure_is_an_import_error(survey):
    for name in [
        "qqq.W",
        "survey_pkg.qqq.W",
        "survey_pkg.warp.W",
        "survey_pkg.needy.W",
        "survey_pkg.raising.W",
    ]:
        with pytest.raises(ImportError):
            find_class(name)


def test_system_exit_in_a_module_is_not_swallowed(survey):
    (survey / "leaving.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(SystemExit):
        find_class("survey_pkg.leaving.W")


def test_class_of_the_wrong_half_is_a_value_error_with_the_bases_and_a_candidate(survey):
    error = failure(WrongClassError, "survey_pkg.warp.WarpParallel")
    assert isinstance(error, ValueError)
    assert "'survey_pkg.warp.WarpParallel' (expected: a subclass of" in str(error)
    assert "harness.stage.processing.ParallelProcessing" in str(error)
    assert "did you mean 'survey_pkg.warp.WarpSerial'?" in str(error)


@pytest.mark.parametrize("name", ["function", "Plain", "WarpStage"])
def test_functions_and_unrelated_classes_are_value_errors(survey, name):
    assert f"survey_pkg.warp.{name}'" in str(failure(WrongClassError, f"survey_pkg.warp.{name}"))


@pytest.mark.parametrize("name", ["", "   ", "WarpSerial", "survey_pkg.warp.", ".WarpSerial", "a..b.C"])
def test_malformed_names_say_what_a_name_looks_like(name):
    assert "the name must be a module, a dot and a class in it" in str(failure(ClassLookupError, name))


@pytest.mark.parametrize("name", [None, 3, SerialProcessing])
def test_names_that_are_no_strings_are_type_errors(name):
    with pytest.raises(TypeError, match=r"named by a string such as 'mypipe\.warp\.WarpSerial'"):
        find_class(name)
