"""ROC, AUC and calibration against hand-worked values and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration, metrics

from ml import agreement

# Few distinct scores, so that ties are the rule.
scored = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=40
)


def test_the_curve_of_four_scores_by_hand():
    curve = agreement.roc_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    assert curve is not None
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.true_positive_rate.tolist() == [0, 0.5, 0.5, 1, 1]
    assert agreement.auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == pytest.approx(0.75)


def test_ties_count_half():
    assert agreement.auc([0.5, 0.5], [True, False]) == pytest.approx(0.5)
    # Pairs: 0.5-0.5 half, 0.5-0.2 whole, 0.9-0.5 whole, 0.9-0.2 whole.
    assert agreement.auc([0.5, 0.9, 0.5, 0.2], [True, True, False, False]) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize("positive", [[True, True], [False, False], []])
def test_one_class_has_no_curve(positive):
    scores = [0.5] * len(positive)
    assert agreement.auc(scores, positive) is None
    assert agreement.roc_curve(scores, positive) is None


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        agreement.auc([float("nan"), 1], [True, False])


@settings(deadline=None)
@given(scored)
def test_area_under_the_curve_equals_scikit_learn_and_the_curve_s_own_area(pairs):
    scores, positive = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ours, curve = agreement.auc(scores, positive), agreement.roc_curve(scores, positive)
    if ours is None or curve is None:
        assert len(set(positive)) == 1
        return
    assert ours == pytest.approx(metrics.roc_auc_score(positive, scores))
    assert ours == pytest.approx(np.trapezoid(curve.true_positive_rate, curve.false_positive_rate))
    theirs = metrics.roc_curve(positive, scores, drop_intermediate=False)
    assert np.allclose(curve.false_positive_rate, theirs[0])
    assert np.allclose(curve.true_positive_rate, theirs[1])


def test_reliability_by_hand():
    # Two bins: {0.1, 0.4} with one right, {0.5, 1.0} with both right.
    found = agreement.reliability([0.1, 0.4, 0.5, 1.0], [True, False, True, True], bins=2)
    assert found is not None
    assert found.counts.tolist() == [2, 2]
    assert found.mean_probability.tolist() == pytest.approx([0.25, 0.75])
    assert found.share_positive.tolist() == pytest.approx([0.5, 1.0])
    assert found.expected_calibration_error == pytest.approx(0.25)
    assert found.brier == pytest.approx((0.81 + 0.16 + 0.25 + 0) / 4)


def test_an_empty_bin_has_no_share():
    found = agreement.reliability([0.05], [True])
    assert found is not None
    assert found.counts.tolist() == [1] + [0] * 9
    assert np.isnan(found.share_positive[1:]).all()


def test_probabilities_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match="outside"):
        agreement.reliability([1.5], [True])
    assert agreement.reliability([], []) is None


@settings(deadline=None)
@given(scored)
def test_brier_and_reliability_equal_scikit_learn(pairs):
    # Half-way scores stand on bin edges, where the libraries choose different sides.
    probabilities = np.array([pair[0] for pair in pairs]) * 0.9 + 0.01
    positive = np.array([pair[1] for pair in pairs])
    found = agreement.reliability(probabilities, positive, bins=10)
    assert found is not None
    assert found.brier == pytest.approx(metrics.brier_score_loss(positive, probabilities, pos_label=True))
    if len(set(positive)) == 2:
        shares, means = calibration.calibration_curve(positive, probabilities, n_bins=10)
        filled = found.counts > 0
        assert np.allclose(found.share_positive[filled], shares)
        assert np.allclose(found.mean_probability[filled], means)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans(), st.integers(1, 4)), min_size=1)
)
def test_a_pair_with_a_count_is_as_many_pairs(rows):
    scores, right, counts = map(list, zip(*rows, strict=True))
    each = np.repeat(scores, counts), np.repeat(right, counts)
    assert agreement.auc(scores, right, counts) == pytest.approx(agreement.auc(*each))
    kappa = agreement.cohen_kappa(right, np.array(scores) > 0.3, counts=counts)
    assert kappa == pytest.approx(agreement.cohen_kappa(each[1], each[0] > 0.3))
    found, expected = agreement.reliability(scores, right, counts=counts), agreement.reliability(*each)
    for name in ("counts", "mean_probability", "expected_calibration_error", "brier"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), nan_ok=True)
    curve, plain = agreement.roc_curve(scores, right, counts), agreement.roc_curve(*each)
    assert (curve is None) == (plain is None)
    if curve and plain:
        points = set(zip(curve.false_positive_rate, curve.true_positive_rate, strict=True))
        assert points == set(zip(plain.false_positive_rate, plain.true_positive_rate, strict=True))


def test_a_pair_that_never_occurs_is_refused():
    with pytest.raises(ValueError, match="a count below 1"):
        agreement.auc([0.5, 0.25], [True, False], [1, 0])
