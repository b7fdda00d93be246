# SPDX-License-Identifier: BSD-3-Clause
"""createAdditionalData and propertySetToDict."""

import numpy
import pytest
from harness.clipboard import Clipboard
from harness.policy import Policy
from harness.properties import DateTime, PropertySet
from harness.stage import StageProcessing
from harness.utils import createAdditionalData, propertySetToDict

STAGE = StageProcessing(None, None, None, {"rank": 3, "runId": "r7", "universeSize": 5})


def clipboard_with(**values):
    clipboard = Clipboard()
    for key, value in values.items():
        clipboard.put(key, value)
    return clipboard


def created(entries, **values):
    policy = Policy()
    for entry in entries:
        policy.add("parameters.additionalData", entry)
    return createAdditionalData(STAGE, policy, clipboard_with(**values))


def event():
    result = PropertySet()
    result.set("visit", 85)
    result.set("site.name", "here")
    result.set("when", DateTime(5))
    result.set("many", [1, 2])
    return result


def test_the_old_import_path_leads_to_the_same_functions():
    import lsst.pex.harness.Utils as Utils

    assert Utils.createAdditionalData is createAdditionalData
    assert Utils.propertySetToDict is propertySetToDict


@pytest.mark.contract("8.3.always")
@pytest.mark.parametrize("policy", [None, Policy()])
def test_run_slice_and_universe_are_always_there(policy):
    data = createAdditionalData(STAGE, policy, Clipboard())
    assert propertySetToDict(data) == {"runId": "r7", "sliceId": 3, "universeSize": 5}


@pytest.mark.contract("8.3.forms")
def test_a_clipboard_value_is_taken_as_it_is():
    data = created(["n=count", " filt = band "], count=numpy.int64(7), band="r")
    assert data.getInt("n") == 7
    assert data.getString("filt") == "r"


@pytest.mark.contract("8.3.forms")
def test_a_field_of_a_dict_is_taken():
    data = created(["v=job.visit", "x=job.a.b"], job={"visit": 85, "a.b": "split at the first dot"})
    assert data.getInt("v") == 85
    assert data.getString("x") == "split at the first dot"


@pytest.mark.contract("8.3.forms")
def test_a_property_is_taken_with_its_type_also_from_a_sub_set():
    data = created(["v=ev.visit", "s=ev.site.name", "w=ev.when", "m=ev.many"], ev=event())
    assert data.getInt("v") == 85
    assert data.getString("s") == "here"
    assert data.getDateTime("w") == DateTime(5)
    assert data.getArray("m") == [1, 2]


@pytest.mark.parametrize("entry", ["novalue", "a=b=c", "=key", "name=", "name=key.", ""])
def test_malformed_entries_show_the_form(entry):
    with pytest.raises(RuntimeError, match="expected 'name=clipKey' or 'name=clipKey.field'"):
        created([entry], key=1, b=1)


@pytest.mark.contract("8.3.errors")
def test_a_missing_clipboard_value_names_the_key_and_what_there_is():
    with pytest.raises(RuntimeError, match="no value under 'job'; it holds other"):
        created(["v=job.visit"], other=1)


@pytest.mark.parametrize("value", [{"ccd": 1}, event()])
def test_a_missing_field_names_it_and_those_there_are(value):
    with pytest.raises(RuntimeError, match="'job' has no field 'nope'; its fields: "):
        created(["v=job.nope"], job=value)


@pytest.mark.contract("8.3.errors")
def test_a_field_of_another_type_is_an_error():
    with pytest.raises(
        RuntimeError, match="'job' on the clipboard must be a dict or a PropertySet .* not int"
    ):
        created(["v=job.visit"], job=3)


def test_a_value_that_no_property_set_holds_names_the_entry():
    with pytest.raises(TypeError, match="entry 'v=job': property 'v' must be .* not object"):
        created(["v=job"], job=object())


@pytest.mark.contract("16.2.dict")
def test_property_set_to_dict_is_flat():
    result = propertySetToDict(event())
    assert sorted(result) == ["many", "site", "visit", "when"]
    assert result["many"] == [1, 2]
    assert isinstance(result["site"], PropertySet)
