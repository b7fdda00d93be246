# SPDX-License-Identifier: BSD-3-Clause
"""Files, includes, products and URNs: where policies are read from."""

import errno
import os
import pickle
import sys
from pathlib import Path

import harness._core
import pytest
from harness import exceptions as pex
from harness.policy import (
    BadNameError,
    DefaultPolicyFile,
    FormatSyntaxError,
    IoError,
    NotFoundError,
    ParserError,
    Policy,
    PolicyFile,
    PolicyString,
    TypeError,
    UrnPolicyFile,
    ValidationError,
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Writes files below a directory of its own, which is not the current one."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / (name.replace("__", "/") + ".paf")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)
        return tmp_path

    return write


@pytest.fixture
def product(tmp_path, monkeypatch):
    """A product with a repository "policy", found by its environment variable."""
    root = tmp_path / "product"
    (root / "policy" / "sub").mkdir(parents=True)
    monkeypatch.setenv("MEAS_WARP_DIR", str(root))
    (root / "policy" / "warp.paf").write_text("a: 1\nkernel: @sub/kernel.paf\n")
    (root / "policy" / "sub" / "kernel.paf").write_text("width: 3\nmore: @sub/more.paf\n")
    (root / "policy" / "sub" / "more.paf").write_text("x: 1\n")
    (root / "top.paf").write_text("top: true\n")
    return root


def test_missing_include_says_where_it_was_looked_for_and_what_to_write(files):
    root = files(top="x: @policy/b.paf\n", policy__b="c: @c.paf\n", policy__c="z: 1\n")
    with pytest.raises(IoError) as caught:
        Policy.createPolicy(str(root / "top.paf"))
    assert caught.value.expected == f'a file in "{root}", where all includes are looked up'
    assert caught.value.suggestion == "policy/c.paf"
    assert caught.value.breadcrumb == "x.c" and (caught.value.line, caught.value.column) == (1, 4)


def test_missing_include_of_a_text_names_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IoError) as caught:
        Policy.createPolicy(PolicyString("x: @none.paf"))
    assert str(tmp_path) in caught.value.expected and caught.value.suggestion == ""
    assert isinstance(caught.value, OSError) and caught.value.errno == errno.ENOENT


RESOLVED = {"a": 1, "kernel": {"width": 3, "more": {"x": 1}}}


@pytest.mark.contract("10.2.construction")
def test_constructor_leaves_includes_unresolved(files):
    root = files(main="a: @other.paf")
    assert Policy(root / "main.paf").isFile("a")
    assert Policy(str(root / "main.paf")).getFile("a").getPath() == "other.paf"
    assert Policy(PolicyFile(root / "main.paf")).isFile("a")


@pytest.mark.contract("10.2.construction")
def test_create_policy_looks_for_includes_beside_the_file(files):
    root = files(main="a: @other.paf\nb: @deep/x.paf", other="x: 1", deep__x="y: @other.paf")
    policy = Policy.createPolicy(root / "main.paf")
    assert policy.toDict() == {"a": {"x": 1}, "b": {"y": {"x": 1}}}
    assert Policy.createPolicy(str(root / "main.paf"), False).isFile("a")
    assert Policy.createPolicy(str(root / "main.paf"), doIncludes=False).isFile("a")


def test_create_policy_with_repository_looks_there(files):
    root = files(main="a: @other.paf", repo__other="x: 2")
    assert Policy.createPolicy(root / "main.paf", root / "repo").getInt("a.x") == 2
    assert (
        Policy.createPolicy(str(root / "main.paf"), repos=str(root / "repo"), validate=False).getInt("a.x")
        == 2
    )


def test_create_policy_of_a_source_looks_in_the_current_directory(files):
    root = files(main="a: @other.paf", other="x: 1", here__other="x: 3")
    assert Policy.createPolicy(PolicyFile(str(root / "main.paf"))).getInt("a.x") == 3
    assert Policy.createPolicy(PolicyString("a: @other.paf")).getInt("a.x") == 3


@pytest.mark.contract("10.4.loadPolicyFiles")
def test_load_policy_files_counts_them_at_every_depth(files):
    root = files(one="x: @two.paf", two="y: 1", repo__one="x: 5")
    policy = Policy(PolicyString("a: @one.paf\na: @two.paf\nb: { c: @one.paf }"))
    assert policy.loadPolicyFiles(str(root)) == 5
    assert policy.toDict() == {"a": [{"x": {"y": 1}}, {"y": 1}], "b": {"c": {"x": {"y": 1}}}}
    assert policy.fileNames() == [] and policy.loadPolicyFiles() == 0
    absolute = Policy(PolicyString(f"a: @{root}/two.paf"))
    assert absolute.loadPolicyFiles(root / "nowhere") == 1


def test_lenient_loading_keeps_what_can_be_read(files):
    root = files(bad="x: 1\njunk\ny: 2\nz: {\n w: 3", good="ok: 1")
    policy = Policy(PolicyString("a: @missing.paf\nb: @bad.paf\nc: @good.paf"))
    assert policy.loadPolicyFiles(root, False) == 3
    assert policy.toDict() == {"a": {}, "b": {"x": 1, "y": 2, "z": {"w": 3}}, "c": {"ok": 1}}


def test_missing_file_is_an_io_error(files):
    root = files(main="p: {\n   a: @missing.paf\n}")
    with pytest.raises(IoError) as caught:
        Policy(root / "absent.paf")
    error = caught.value
    assert isinstance(error, OSError) and isinstance(error, pex.IoError)
    assert (error.errno, error.filename) == (errno.ENOENT, str(root / "absent.paf"))
    with pytest.raises(IoError) as caught:
        Policy.createPolicy(root / "main.paf")
    error = caught.value
    assert (error.file, error.line, error.column) == (str(root / "main.paf"), 2, 7)
    assert error.breadcrumb == "p.a" and "missing.paf" in str(error)
    with pytest.raises(IoError) as caught:
        Policy(root)
    assert caught.value.errno == errno.EISDIR


def test_error_in_an_include_keeps_its_class_and_names_the_chain(files):
    root = files(
        main="appStage: { name: x }\nappStage: {\n stagePolicy: @stage.paf\n}",
        stage="sub: @inner.paf",
        inner="a: 1\nb: 3 x",
    )
    with pytest.raises(FormatSyntaxError) as caught:
        Policy.createPolicy(root / "main.paf")
    error = caught.value
    assert (error.file, error.line, error.column) == (str(root / "inner.paf"), 2, 6)
    assert error.breadcrumb == "appStage[1].stagePolicy.sub.b"
    assert error.chain == [(str(root / "stage.paf"), 1, 6), (str(root / "main.paf"), 3, 15)]
    assert f"included from {root / 'main.paf'}:3:15" in str(error)
    files(inner="a: 1\na: 2.0")
    with pytest.raises(TypeError) as caught:
        Policy.createPolicy(root / "main.paf")
    assert caught.value.file == str(root / "inner.paf")


def test_included_place_is_kept_for_later_errors(files):
    root = files(main="p: @inner.paf", inner="\nx: 1")
    policy = Policy.createPolicy(root / "main.paf")
    with pytest.raises(TypeError) as caught:
        policy.getDouble("p.x")
    assert (caught.value.file, caught.value.line) == (str(root / "inner.paf"), 2)
    assert caught.value.chain == [(str(root / "main.paf"), 1, 4)]


def test_circle_of_includes_is_refused_with_its_chain(files):
    root = files(a="x: @b.paf", b="y: @c.paf", c="z: @b.paf")
    with pytest.raises(ParserError, match="circle") as caught:
        Policy.createPolicy(root / "a.paf")
    assert [Path(link[0]).name for link in caught.value.chain] == ["b.paf", "a.paf"]
    assert Path(caught.value.file).name == "c.paf"
    policy = Policy(root / "a.paf")
    assert policy.loadPolicyFiles(root, False) == 3
    assert policy.toDict() == {"x": {"y": {"z": {}}}}


def test_same_file_twice_is_no_circle(files):
    root = files(main="a: @x.paf\nb: @x.paf", x="v: 1")
    assert Policy.createPolicy(root / "main.paf").toDict() == {"a": {"v": 1}, "b": {"v": 1}}


@pytest.mark.contract("10.2.construction")
def test_dictionary_gives_its_defaults(files):
    root = files(
        dict="definitions: { a: { type: int\n default: 1 }\n k: { dictionaryFile: k.paf } }",
        k="definitions: { f: { type: string\n default: x } }",
    )
    policy = Policy.createPolicy(root / "dict.paf")
    assert policy.toDict() == {"a": 1, "k": {"f": "x"}} and policy.canValidate()
    with pytest.raises(ValidationError):
        policy.set("a", "x")
    assert not Policy.createPolicy(root / "dict.paf", True, False).canValidate()


@pytest.mark.contract("10.5.recognition")
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("\n\n# comment\n\na: 1\n", 1),
        ("   a: 1", 1),
        ("#<?cfg paf policy ?>\na: 1", 1),
        ("# <?cfg  PAF dictionary ?>\n}", None),
        ("#<?cfg xml policy ?>\na: 1", None),
        ("<a>1</a>", None),
        ('{"a": 1}', 1),
        ("= 1", None),
        ("# only comments\n", 0),
    ],
)
def test_format_is_recognised_by_the_first_line_that_says_something(tmp_path, text, count):
    path = tmp_path / "policy.txt"
    path.write_text(text)
    if count is None:
        with pytest.raises(ParserError):
            Policy(path)
    else:
        assert Policy(path).nameCount() == Policy(PolicyString(text)).nameCount() == count


def test_unsupported_extension_is_an_unknown_format(tmp_path):
    path = tmp_path / "policy.xml"
    path.write_text("a: 1\n")
    with pytest.raises(ParserError, match="unknown format"):
        Policy(path)


@pytest.mark.contract("10.5.sources")
def test_policy_file_facts(tmp_path):
    path = tmp_path / "x.paf"
    file = PolicyFile(str(path))
    assert file.getPath() == str(path) and not file.exists() and file.getFormatName() == "PAF"
    path.write_text("a: 1")
    assert file.exists() and (file.EXT_PAF, PolicyFile.EXT_XML) == (".paf", ".xml")
    policy = Policy(PolicyString("a: 5\nb: 2"))
    file.load(policy)
    assert policy.toDict() == {"a": [5, 1], "b": 2}
    assert (
        file == PolicyFile(str(path))
        and hash(file) == hash(PolicyFile(str(path)))
        and file != PolicyFile("y")
    )
    assert repr(PolicyFile("y")) == "PolicyFile('y')" and PolicyString("a: 1").getData() == "a: 1"


class TestProducts:
    @pytest.mark.contract("10.5.sources")
    def test_default_policy_file_resolves_includes_in_its_repository(self, product):
        source = DefaultPolicyFile("meas_warp", "warp.paf", "policy")
        assert source.getRepositoryPath() == str(product / "policy")
        assert source.getPath() == str(product / "policy" / "warp.paf") and source.exists()
        assert Policy(source).toDict() == RESOLVED
        assert Policy.createPolicy(source, source.getRepositoryPath(), True).toDict() == RESOLVED
        assert Policy(DefaultPolicyFile("meas_warp", "top.paf")).toDict() == {"top": True}

    def test_unknown_product_says_what_was_looked_for(self):
        with pytest.raises(NotFoundError) as caught:
            DefaultPolicyFile("no_such_product", "x.paf", "policy")
        assert isinstance(caught.value, LookupError) and isinstance(caught.value, pex.NotFoundError)
        assert "NO_SUCH_PRODUCT_DIR" in str(caught.value) and "'no_such_product'" in str(caught.value)

    def test_our_own_files_are_found_without_a_variable(self, monkeypatch):
        monkeypatch.delenv("PEX_HARNESS_DIR", raising=False)
        source = DefaultPolicyFile("pex_harness", "x.paf", "policy")
        assert source.getRepositoryPath() == str(Path(harness._core.__file__).parent / "share" / "policy")
        monkeypatch.setenv("PEX_HARNESS_DIR", "/elsewhere")
        assert DefaultPolicyFile("pex_harness", "x.paf").getPath() == "/elsewhere/x.paf"

    def test_python_package_is_a_product_of_its_name(self, tmp_path, monkeypatch):
        package = tmp_path / "some_package_of_policies"
        (package / "policy").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "policy" / "x.paf").write_text("a: 1")
        monkeypatch.syspath_prepend(str(tmp_path))
        assert Policy(DefaultPolicyFile("some_package_of_policies", "x.paf", "policy")).toDict() == {"a": 1}
        assert "some_package_of_policies" not in sys.modules

    def test_lenient_product_file_leaves_out_what_cannot_be_read(self, product):
        os.remove(product / "policy" / "sub" / "more.paf")
        with pytest.raises(IoError):
            Policy(DefaultPolicyFile("meas_warp", "warp.paf", "policy"))
        policy = Policy(DefaultPolicyFile("meas_warp", "warp.paf", "policy", False))
        assert policy.toDict() == {"a": 1, "kernel": {"width": 3, "more": {}}}


def test_references_pickle(product):
    for file in (
        PolicyFile("x.paf"),
        DefaultPolicyFile("meas_warp", "warp.paf", "policy", False),
        UrnPolicyFile("meas_warp:top.paf"),
    ):
        back = pickle.loads(pickle.dumps(file))
        assert type(back) is type(file) and back == file and back.getPath() == file.getPath()
    assert pickle.loads(pickle.dumps(PolicyString("a: 1"))).getData() == "a: 1"


class TestUrns:
    @pytest.mark.parametrize(
        "urn", ["urn:eupspkg:meas_warp:policy:warp.paf", "@URN:EUPSPKG:meas_warp:policy:warp.paf"]
    )
    def test_urn_loads_with_its_includes(self, product, urn):
        assert Policy(urn).toDict() == RESOLVED
        assert Policy.createPolicyFromUrn(urn).toDict() == RESOLVED
        assert Policy(UrnPolicyFile(urn)).toDict() == RESOLVED

    def test_abbreviated_urn(self, product):
        file = UrnPolicyFile("@meas_warp:policy:warp.paf")
        assert file.getRepositoryPath() == str(product / "policy") and Policy(file).toDict() == RESOLVED
        assert UrnPolicyFile("meas_warp:top.paf").getPath() == str(product / "top.paf")

    @pytest.mark.parametrize(
        "include", ["@urn:eupspkg:meas_warp:policy:warp.paf", "@@meas_warp:policy:warp.paf"]
    )
    def test_include_by_urn_uses_the_repository_of_the_urn(self, product, files, include):
        root = files(main=f"w: {include}")
        assert Policy.createPolicy(root / "main.paf").toDict() == {"w": RESOLVED}

    def test_bad_include_urns_are_found_while_parsing(self):
        with pytest.raises(BadNameError) as caught:
            Policy(PolicyString("a: 1\nb: @@one"))
        assert (caught.value.line, caught.value.column) == (2, 4)
        with pytest.raises(NotFoundError) as caught:
            Policy(PolicyString("a: 1\nb: @@no_such_product:x.paf"))
        assert (caught.value.line, caught.value.column) == (2, 4)

    @pytest.mark.parametrize(
        "urn",
        [
            "meas_warp:warp.paf",
            "@@urn:eupspkg:meas_warp:warp.paf",
            "urn:eupspkg:meas_warp",
            "urn:eupspkg:a:b:c:d",
            "urn:eupspkg::x",
            "@meas_warp:policy:warp.paf",
        ],
    )
    def test_strict_urn_has_one_form_only(self, product, urn):
        with pytest.raises(BadNameError):
            Policy.createPolicyFromUrn(urn)
        with pytest.raises(BadNameError):
            UrnPolicyFile(urn, True)

    @pytest.mark.contract("17.45")
    def test_create_from_urn_attaches_the_dictionary(self, product):
        (product / "policy" / "d.paf").write_text("definitions: { a: { type: int\n default: 1 } }")
        urn = "urn:eupspkg:meas_warp:policy:d.paf"
        assert Policy.createPolicyFromUrn(urn, True).canValidate()
        assert not Policy.createPolicyFromUrn(urn, False).canValidate()

    @pytest.mark.contract("10.5.sources")
    def test_parts_of_urns(self):
        urn = "@urn:eupspkg:prod:repo:a/b.paf"
        assert UrnPolicyFile.productNameFromUrn(urn) == "prod"
        assert UrnPolicyFile.reposFromUrn(urn) == "repo"
        assert UrnPolicyFile.filePathFromUrn(urn) == "a/b.paf"
        assert UrnPolicyFile.reposFromUrn("prod:x.paf") == ""
        assert (UrnPolicyFile.URN_PREFIX, UrnPolicyFile.URN_PREFIX_ABBREV) == ("urn:eupspkg:", "@")

    @pytest.mark.parametrize(
        ("text", "loose", "strict"),
        [
            ("urn:eupspkg:a:b", True, True),
            ("@urn:eupspkg:a:b", True, True),
            ("@@Urn:EupsPkg:a:b", True, False),
            ("@a:b", True, False),
            ("a:b", False, False),
            ("urn:other:a", False, False),
            ("", False, False),
        ],
    )
    def test_looks_like_urn(self, text, loose, strict):
        assert UrnPolicyFile.looksLikeUrn(text) is loose
        assert UrnPolicyFile.looksLikeUrn(text, True) is strict


def test_missing_dictionary_file_says_where_it_was_looked_for(product, monkeypatch, tmp_path):
    (product / "policy" / "d.paf").write_text("definitions: { k: { dictionaryFile: k.paf } }")
    (product / "policy" / "k.paf").write_text("definitions: { w: { default: 7 } }")
    monkeypatch.chdir(tmp_path)
    source = DefaultPolicyFile("meas_warp", "d.paf", "policy")
    with pytest.raises(IoError) as caught:
        Policy.createPolicy(source)
    assert caught.value.expected == f'a file in "{tmp_path}", where all includes are looked up'
    assert caught.value.suggestion == "product/policy/k.paf"
    assert Policy.createPolicy(source, source.getRepositoryPath()).toDict() == {"k": {"w": 7}}
