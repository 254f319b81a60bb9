from __future__ import annotations

from pathlib import Path

import pytest

from local import privacy
from local.console import Failure
from shared.access.collecting import NOT_COPIED
from shared.members.api import ProfileFields
from shared.members.model import PERSONAL
from shared.observability.logs import is_personal, redact
from shared.privacy.registry import ENTRIES, GROUPS, PRIVATE_NAMES, PURPOSES

ROOT = Path(__file__).parents[3]


def test_every_field_of_the_interface_is_registered() -> None:
    of_the_profile = [entry.name for entry in ENTRIES if "PROFILE" in entry.place]
    assert sorted(of_the_profile) == sorted(ProfileFields.model_fields)


def test_the_profile_is_sealed_by_the_groups_of_the_registry() -> None:
    assert [name for names in GROUPS.values() for name in names] == list(PERSONAL)


def test_every_entry_says_all_of_itself_and_has_a_name_of_its_own() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for entry in ENTRIES:
        assert entry.purposes, entry.name
        assert set(entry.purposes) <= set(PURPOSES), entry.name
        assert all((entry.what, entry.retention, entry.place, entry.protection)), entry.name


def test_every_purpose_has_data() -> None:
    assert {purpose for entry in ENTRIES for purpose in entry.purposes} == set(PURPOSES)


@pytest.mark.parametrize("name", sorted(PRIVATE_NAMES))
def test_logs_leave_out_what_is_registered(name: str) -> None:
    camel = "".join(part.capitalize() if index else part for index, part in enumerate(name.split("_")))
    line = {"tenant": "demo", name: "planted", "inner": [{camel: "planted"}]}
    assert redact(line) == {"tenant": "demo", "inner": [{}]}
    assert is_personal(name.upper())


def test_the_record_of_processing_is_up_to_date() -> None:
    for path, text in privacy.documents().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, "run `python -m local privacy`"


def test_a_record_that_is_behind_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "PAGE", Path("docs/elsewhere.md"))
    with pytest.raises(Failure):
        privacy.write_or_check(privacy.documents(), check=True, again="x", root=tmp_path)


def test_the_record_names_every_entry_under_each_of_its_purposes() -> None:
    (text,) = privacy.documents().values()
    sections = {part.partition("\n")[0].lower(): part for part in text.split("\n## ")}
    for entry in ENTRIES:
        for purpose in entry.purposes:
            assert f"| {entry.name} |" in sections[purpose], (entry.name, purpose)


def test_what_is_of_no_guest_rests_on_no_membership_and_is_not_said_to_be_kept_under_an_id() -> None:
    of_no_guest = [entry for entry in ENTRIES if entry.ending == "of no guest"]
    assert {entry.name for entry in of_no_guest} == {name for name, note in NOT_COPIED.items() if note.startswith("Of ")}
    (text,) = privacy.documents().values()
    for entry in of_no_guest:
        assert "contract" not in {PURPOSES[purpose].basis for purpose in entry.purposes}, entry.name
        (row,) = (line for line in text.splitlines() if line.startswith(f"| {entry.name} | {entry.place}"))
        assert "not a guest's" in row
        assert "an id that" not in row
