# SPDX-License-Identifier: BSD-3-Clause
"""Dataset: identity, text form, and the way into a policy and back."""

import lsst.pex.policy as pexPolicy
import numpy
import pytest
from harness.dataset import Dataset
from harness.policy import Policy


def test_the_old_import_paths_lead_to_the_same_class():
    import lsst.pex.harness.dataset

    assert lsst.pex.harness.Dataset is Dataset
    assert lsst.pex.harness.dataset.Dataset is Dataset


@pytest.mark.contract("3.3.constructor")
def test_ids_are_copied_and_keyword_arguments_win():
    given = {"visit": 1, "ccd": 2}
    sut = Dataset("raw", ids=given, ccd=3, amp="a")
    given["visit"] = 9
    assert sut.ids == {"visit": 1, "ccd": 3, "amp": "a"}
    assert (sut.type, sut.path, sut.valid) == ("raw", None, True)


@pytest.mark.contract("3.3.constructor")
def test_without_ids_they_are_none():
    assert Dataset("raw").ids is None
    assert Dataset("raw", ids={}).ids == {}


def test_ids_of_the_wrong_kind_are_a_type_error():
    with pytest.raises(TypeError, match="dataset 'raw': ids must be a dict"):
        Dataset("raw", ids=[("visit", 1)])


@pytest.mark.contract("3.3.equality")
def test_equality_counts_type_and_ids_and_neither_path_nor_validity():
    sut = Dataset("raw", "/a", True, visit=1)
    assert sut == Dataset("raw", "/b", False, visit=1)
    assert sut != Dataset("calib", visit=1)
    assert sut != Dataset("raw", visit=2)
    assert sut != Dataset("raw", ccd=1)
    assert sut != Dataset("raw", visit=1, ccd=1)


@pytest.mark.contract("17.23")
def test_datasets_without_ids_are_equal():
    assert Dataset("raw") == Dataset("raw")
    assert Dataset("raw") != Dataset("raw", visit=1)
    assert Dataset("raw", visit=1) != Dataset("raw")


def test_other_classes_are_never_equal():
    class Special(Dataset):
        pass

    assert Dataset("raw") != Special("raw")
    assert Special("raw") != Dataset("raw")
    assert Dataset("raw") != "raw"


@pytest.mark.contract("17.23")
def test_equal_datasets_have_equal_hashes():
    assert hash(Dataset("raw", "/a", visit=1, ccd=2)) == hash(
        Dataset("raw", ids={"ccd": 2, "visit": numpy.int64(1)})
    )
    assert len({Dataset("raw"), Dataset("raw"), Dataset("raw", visit=1)}) == 2
    assert hash(Dataset("raw", amps=[1, 2])) == hash(Dataset("raw", amps=[1, 2]))


def test_hashes_tell_ids_apart():
    assert len({hash(Dataset("raw", visit=visit)) for visit in range(100)}) == 100


@pytest.mark.contract("3.3.text")
def test_text_is_the_type_and_the_sorted_ids():
    assert str(Dataset("raw", visit=85, ccd=3)) == "raw-ccd3-visit85"
    assert Dataset("raw").toString() == "raw"


@pytest.mark.contract("3.3.text")
def test_text_is_the_path_if_there_is_one_and_it_is_wanted():
    sut = Dataset("raw", "/data/raw.fits", visit=85)
    assert str(sut) == "/data/raw.fits"
    assert sut.toString(False) == "raw-visit85"


def test_repr_shows_everything():
    assert (
        repr(Dataset("raw", "/a", False, visit=1))
        == "Dataset('raw', ids={'visit': 1}, valid=False, path='/a')"
    )


@pytest.mark.contract("3.3.policy")
def test_policy_round_trip_keeps_everything():
    sut = Dataset("raw", "/a", False, visit=85, filt="r", exposure=15.5, flat=True)
    twin = Dataset.fromPolicy(sut.toPolicy())
    assert twin == sut
    assert (twin.path, twin.valid, twin.ids) == ("/a", False, sut.ids)


def test_policy_has_no_ids_and_no_path_when_there_are_none():
    for sut in (Dataset("raw"), Dataset("raw", ids={})):
        policy = sut.toPolicy()
        assert sorted(policy.names(True)) == ["type", "valid"]
        assert Dataset.fromPolicy(policy).ids is None


def test_a_given_policy_is_filled_and_returned():
    policy = Policy()
    policy.set("other", 1)
    assert Dataset("raw").toPolicy(policy) is policy
    assert policy.getInt("other") == 1
    assert policy.getString("type") == "raw"


def test_numpy_ids_go_into_a_policy_as_plain_numbers():
    policy = Dataset("raw", visit=numpy.int64(85), seeing=numpy.float32(0.5)).toPolicy()
    assert policy.getInt("ids.visit") == 85
    assert policy.getDouble("ids.seeing") == 0.5


def test_ids_that_a_policy_cannot_hold_are_type_errors_that_name_the_id():
    with pytest.raises(TypeError, match="id 'amps' must be .* not list"):
        Dataset("raw", amps=[1, 2]).toPolicy()


@pytest.mark.contract("3.3.policy")
def test_missing_entries_of_a_policy_are_none():
    sut = Dataset.fromPolicy(Policy())
    assert (sut.type, sut.path, sut.valid, sut.ids) == (None, None, None, None)
    assert Dataset.fromPolicy(sut.toPolicy()) == sut


def test_ill_typed_entries_of_a_policy_are_policy_type_errors():
    policy = Policy()
    policy.set("type", 3)
    with pytest.raises(pexPolicy.TypeError):
        Dataset.fromPolicy(policy)
