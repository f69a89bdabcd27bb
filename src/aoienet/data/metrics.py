"""What a result file says: confusion, precision, recall, F1, exact intervals, AUC, temperature, threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval."""
    from scipy.stats import beta

    if trials == 0:
        return 0.0, 1.0
    tail = (1.0 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0
    if successes < trials:
        high = float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high


def miss_bound(misses: int, trials: int, level: float = 0.95) -> float:
    """The largest miss rate that `misses` of `trials` independent units leave possible at that confidence (one-sided
    Clopper-Pearson)."""
    return clopper_pearson(misses, trials, 2 * level - 1)[1]


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Rows: truth; columns: prediction."""
    cells = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(cells.ravel(), minlength=classes * classes).reshape(classes, classes)


def share(part: int, whole: int) -> dict:
    """A share with its counts and its exact 95 % interval."""
    low, high = clopper_pearson(int(part), int(whole))
    value = float(part) / whole if whole else 0.0
    return {"value": value, "count": int(part), "of": int(whole), "interval95": [low, high]}


def classification_report(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> dict:
    """Accuracy with interval, per-class precision, recall, F1, confusion matrix."""
    matrix = confusion_matrix(truth, predicted, len(classes))
    per_class = {}
    for i, name in enumerate(classes):
        hit, said, there = int(matrix[i, i]), int(matrix[:, i].sum()), int(matrix[i].sum())
        precision, recall = hit / said if said else 0.0, hit / there if there else 0.0
        f1 = 2 * hit / (said + there) if said + there else 0.0
        per_class[name] = {
            "precision": precision,
            "precision_interval95": list(clopper_pearson(hit, said)),
            "recall": recall,
            "recall_interval95": list(clopper_pearson(hit, there)),
            "f1": f1,
            "count": there,
        }
    accuracy = share(int(np.trace(matrix)), int(matrix.sum()))
    return {
        "accuracy": accuracy["value"],
        "accuracy_interval95": accuracy["interval95"],
        "correct": accuracy["count"],
        "count": accuracy["of"],
        "classes": list(classes),
        "per_class": per_class,
        "confusion": matrix.tolist(),
    }


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve by ranks; ties count one half. NaN when a class is absent."""
    from scipy.stats import rankdata

    positive = np.asarray(positive, bool)
    p, n = int(positive.sum()), int((~positive).sum())
    if p == 0 or n == 0:
        return float("nan")
    ranks = rankdata(np.asarray(scores, np.float64))
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))


def unknown(known_NK: np.ndarray, unknown_NK: np.ndarray) -> dict:
    """How far the largest softmax probability tells pictures of a class that no training had from those of known classes: AUROC
    (0.5: not at all) and the share of them that passes where 95 % of the known pass (FPR at 95 % TPR; Hendrycks 2017, arXiv 1610.02136)."""
    from scipy.special import softmax

    known, other = (softmax(np.asarray(logits, np.float64), axis=1).max(1) for logits in (known_NK, unknown_NK))
    truth = np.repeat([True, False], [len(known), len(other)])
    passed = int((other >= np.quantile(known, 0.05, method="lower")).sum())
    return {"auroc": auc(np.concatenate([known, other]), truth), "passed_at_95": share(passed, len(other))}


def log_odds(logits: np.ndarray, defect: int = 1) -> np.ndarray:
    """logit_defect - logsumexp(other logits), over the last axis."""
    logits = np.asarray(logits, np.float64)
    others = np.delete(logits, defect, axis=-1)
    top = others.max(axis=-1, keepdims=True)
    return logits[..., defect] - (top[..., 0] + np.log(np.exp(others - top).sum(axis=-1)))


def fit_temperature(scores: np.ndarray, positive: np.ndarray) -> float:
    """The temperature that minimises the negative log-likelihood of log-odds scores (0.05 to 20)."""
    from scipy.optimize import minimize_scalar

    sign = np.where(np.asarray(positive, bool), 1.0, -1.0)
    margin = sign * np.asarray(scores, np.float64)
    if margin.size == 0:
        return 1.0

    def nll(log_t: float) -> float:
        return float(np.logaddexp(0.0, -margin / np.exp(log_t)).mean())

    best = minimize_scalar(nll, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(best.x))


def threshold_for_recall(positive_scores: np.ndarray, recall: float) -> float:
    """The largest threshold at which at least `recall` of the positives satisfy score >= threshold."""
    ordered = np.sort(np.asarray(positive_scores, np.float64))
    if ordered.size == 0:
        return 0.0
    lost = int(np.floor((1.0 - recall) * ordered.size + 1e-9))
    return float(ordered[min(lost, ordered.size - 1)])
