"""The files of a check: JSON, JUnit and metrics, of a check that was made and of one that could not be made."""

import json
import re
from xml.etree import ElementTree

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance import files
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance.check import check

from tests.unit.plugins.plugin_utils.compliance.test_check import DAY, HOUR, NOW, backup, tree, vm

EVIL = 'a\x1b[31m"\\ \u202e\n{}<b>'
AT = _time.parse_instant(NOW)


def checked(*machines, trees=(), **more):
    return check(list(machines), list(trees), {"rpo": "1d"}, NOW, **more)


def metrics(text):
    """Name and labels -> value; holds the text to what both OpenMetrics and the textfile collector read."""
    assert text.endswith("# EOF\n")
    samples, family = {}, None
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            assert line.split()[2] not in {name for name, labels in samples}, "all lines of a metric stand together"
            family = line.split()[2]
            assert line.endswith(" gauge")
        elif not line.startswith("# HELP "):
            name, labels, value = re.fullmatch(
                r"(\w+)\{((?:\w+=\"(?:[^\"\\\n]|\\[\"\\n])*\",?)*)\} (-?[0-9]+)", line
            ).groups()
            assert name == family and (name, labels) not in samples
            samples[name, labels] = int(value)
    return samples


def values(samples, name):
    return [value for (told, labels), value in samples.items() if told == "prl_backup_compliance_" + name]


def test_metrics_say_what_the_check_found():
    result = checked(
        vm(1),
        vm(2),
        vm(3),
        trees=[tree([backup(1000, 2 * HOUR)]), tree([backup(2000, 2 * DAY), backup(2000, DAY + 1, 2)], number=2)],
    )
    samples = metrics(files.as_metrics("node", result, AT))
    assert (
        values(samples, "success") == [1]
        and values(samples, "compliant") == [0]
        and values(samples, "timestamp_seconds") == [AT]
    )
    assert values(samples, "vm_compliant") == [1, 0, 0] and values(samples, "vm_backups") == [1, 2, 0]
    assert values(samples, "vm_newest_age_seconds") == [2 * HOUR, DAY + 1] and values(samples, "vm_chain_length") == [
        1,
        2,
    ]
    assert values(samples, "vm_newest_timestamp_seconds") == [AT - 2 * HOUR, AT - DAY - 1]
    codes = [re.search('code="(\\w+)"', labels)[1] for (name, labels) in samples if name.endswith("vm_findings")]
    assert codes == ["rpo", "never"]


def test_a_check_that_could_not_be_made_is_no_proof_in_any_file():
    samples = metrics(files.as_metrics("node", None, AT))
    assert {name: value for (name, labels), value in samples.items()} == {
        "prl_backup_compliance_success": 0,
        "prl_backup_compliance_timestamp_seconds": AT,
        "prl_backup_compliance_compliant": 0,
    }
    assert json.loads(files.as_json("node", None, "no SDK")) == {"host": "node", "compliant": False, "error": "no SDK"}
    suite = ElementTree.fromstring(files.as_junit("node", None, "no SDK"))[0]
    assert (suite.get("tests"), suite.get("errors"), suite[0][0].get("message")) == ("1", "1", "no SDK")


def test_names_break_no_file_and_steer_no_terminal():
    result = checked(vm(1, name=EVIL), vm(2, name=EVIL, type="ct"), trees=[tree([backup(1000, HOUR)])])
    assert len(values(metrics(files.as_metrics(EVIL, result, AT)), "vm_compliant")) == 2
    for text in (files.as_metrics(EVIL, result, AT), files.as_json(EVIL, result), files.as_junit(EVIL, result)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert json.loads(files.as_json(EVIL, result))["vms"][0]["vm"]["name"] == EVIL
    suite = ElementTree.fromstring(files.as_junit(EVIL, result))[0]
    assert suite[0].get("name") == 'a?[31m"\\ ??{}<b>'


def test_a_template_that_was_left_out_has_no_metrics_and_is_skipped():
    result = checked(vm(1, template=True))
    assert values(metrics(files.as_metrics("node", result, AT)), "vm_compliant") == []
    suite = ElementTree.fromstring(files.as_junit("node", result))[0]
    assert suite.get("skipped") == "1" and suite[0][0].tag == "skipped"
