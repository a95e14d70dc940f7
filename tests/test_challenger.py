"""A second model beside the first: it answers a share of the keys, or none; both are recorded."""

from __future__ import annotations

import contextlib

import pytest

from mlworkflow.api.served import served
from mlworkflow.core import paths
from mlworkflow.recording.reading import read
from mlworkflow.recording.routing import share_of
from tests.asked import Api
from tests.test_bundle import customers, make, question

ROW = {"age": 31, "paid": 52.5, "plan": "basic", "since": "2024-02-01"}
ROWS = [{**ROW, "customer": f"c{number}"} for number in range(60)]
SHARE = 0.3


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Two bundles of one question: their rows differ, and so do their probabilities."""
    found = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp(f"bundle{seed}")
        with contextlib.chdir(folder):
            make(question(), customers(seed=seed))
        found.append(folder / paths.BUNDLE)
    return found


def api(bundles, tmp_path, **how):
    made = Api(bundles[0], log="batched", log_folder=tmp_path, **how)
    made.challenger = served(bundles[1], "v2", 1000)
    return made


def probabilities(answers):
    return [one["probabilities"]["yes"] for one in answers]


def test_it_answers_its_share_of_the_keys_and_the_same_ones_each_time(bundles, tmp_path):
    api_here = api(bundles, tmp_path, share=SHARE)
    answers = api_here.predict(ROWS).json["predictions"]
    its = [share_of(row["customer"]) < SHARE for row in ROWS]
    assert 5 < sum(its) < 35
    assert ["version" in one for one in answers] == its
    first, second = (probabilities(one.model.predict(ROWS[:1]))[0] for one in (api_here.model, api_here.challenger))
    assert first != second
    assert probabilities(answers) == [second if one else first for one in its]
    assert probabilities(api_here.predict(ROWS).json["predictions"]) == probabilities(answers)
    for row, one in zip(ROWS[:5], its[:5], strict=True):
        assert ("version" in api_here.predict(row).json["predictions"][0]) == one


def test_both_are_recorded_with_their_version_and_role(bundles, tmp_path):
    answers = api(bundles, tmp_path, share=SHARE).predict(ROWS).json["predictions"]
    found = {one.record.id: one.record for one in read(tmp_path)}
    for row, answer in zip(ROWS, answers, strict=True):
        record = found[answer["id"]]
        expected = ("v2", "challenger") if share_of(row["customer"]) < SHARE else ("v1", "champion")
        assert (record.version, record.role) == expected
        assert record.key == row["customer"]
        assert record.output["probabilities"] == answer["probabilities"]


def test_a_shadow_answers_nothing_and_is_recorded_under_the_ids_that_were_answered(bundles, tmp_path):
    api_here = api(bundles, tmp_path, shadow=True)
    answers = api_here.predict(ROWS).json["predictions"]
    assert not any("version" in one for one in answers)
    assert probabilities(answers) == probabilities(api_here.model.model.predict(ROWS))
    found = [one.record for one in read(tmp_path)]
    by_role = {role: {one.id: one for one in found if one.role == role} for role in ("champion", "shadow")}
    assert set(by_role["champion"]) == set(by_role["shadow"]) == {one["id"] for one in answers}
    assert {one.version for one in by_role["shadow"].values()} == {"v2"}
    shadows = [by_role["shadow"][one["id"]].output for one in answers]
    assert probabilities(shadows) == probabilities(api_here.challenger.model.predict(ROWS))


def test_rows_without_a_key_are_shared_by_chance(bundles, tmp_path):
    answers = api(bundles, tmp_path, share=0.5).predict([ROW] * 200).json["predictions"]
    assert 50 < sum("version" in one for one in answers) < 150
