"""The card of a packed model, in Markdown, from the training record in its header. Every number has its interval and its command."""

import hashlib
import re
from typing import Any


def percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def interval(pair: list[float]) -> str:
    return f"{100 * pair[0]:.2f} to {100 * pair[1]:.2f}"


def class_table(scores: dict[str, Any]) -> list[str]:
    """Precision, recall and F1 of each class, with exact 95 % intervals."""
    lines = ["| class | n | precision | 95 % | recall | 95 % | F1 |", "|---|---|---|---|---|---|---|"]
    for name, row in scores["per_class"].items():
        cells = [name, str(row["count"])]
        for key in ("precision", "recall"):
            cells += [percent(row[key] or 0.0), interval(row[f"{key}_interval95"])]
        lines.append(f"| {' | '.join(cells)} | {row['f1'] or 0.0:.4f} |")
    return lines


def confusion_table(scores: dict[str, Any]) -> list[str]:
    names = scores["classes"]
    lines = ["| true \\ said | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    return lines + [
        f"| {n} | " + " | ".join(map(str, row)) + " |" for n, row in zip(names, scores["confusion"], strict=True)
    ]


def test_rows(parts: dict[str, Any]) -> list[str]:
    """What a scanning model reached on each test part at the shipped threshold."""
    lines = ["| test part | measure | share | count | 95 % |", "|---|---|---|---|---|"]
    for part, measures in parts.items():
        for key, row in measures.items():
            if isinstance(row, dict) and "interval95" in row:
                where = f"{row['count']} of {row['of']}"
                lines.append(f"| {part} | {key} | {percent(row['value'])} | {where} | {interval(row['interval95'])} |")
            elif key == "auc":
                lines.append(f"| {part} | block AUC | {row:.4f} | | |")
    return lines


def certificate_text(found: dict[str, Any]) -> str:
    """The certificate of the threshold in words."""
    head = (
        f"Certificate of the threshold, from {found['photographs']} test photographs that did not choose it. A crack (8-connected, 20 px or "
        f"more) is found when {found['found_when']}: {_found(found)} are. {percent(found['length_passed_on'])} of the length of the cracks is "
        "passed on."
    )
    lines = [head, "", *_missed(found), ""]
    if "followed" in found:
        more = found["followed"]
        lines += [
            f"In a scan with the second stage `{more['second_stage']}` (sha256 `{more['sha256'][:12]}`), which follows what it finds, "
            f"{_found(more)} are looked at, {percent(more['length_passed_on'])} of the length:",
            "",
            *_missed(more),
            "",
        ]
    return "\n".join([*lines, "It holds for photographs like these, not for other surfaces or cameras."])


def _found(found: dict[str, Any]) -> str:
    return f"{found['cracks'] - found['cracks_missed']} of {found['cracks']}"


def _missed(found: dict[str, Any]) -> list[str]:
    rows = (
        ("no crack found at all", "photographs_without_any_crack_found"),
        ("a crack missed", "photographs_with_a_missed_crack"),
    )
    return [
        f"- {text}: {found[key]} of {found['photographs']} photographs; with 95 % confidence at most {percent(found[f'{key}_at_most'])} of "
        "such photographs"
        for text, key in rows
    ]


def familiar_text(found: dict[str, Any]) -> str:
    """Which blocks count as unlike the training pictures."""
    training, held = found["training"], found["validation"]
    return (
        f"Unfamiliar is a block whose texture ({', '.join(found['features'])}, the block and {found['around_px']} px around it) is further "
        f"from that of the {training['blocks']:,} blocks of {training['pictures']:,} training pictures than {percent(found['quantile'])} of "
        f"the {held['blocks']:,} blocks of {held['pictures']:,} validation pictures: squared Mahalanobis distance above {found['limit']:.4g}. "
        "A scan passes it on with the reason; aoienet/familiar.py says what the statistics are."
    )


def bounds(meta: dict[str, Any]) -> list[str]:
    """What a header says about where the model can be trusted, as paragraphs."""
    makers = {"certificate": certificate_text, "familiar": familiar_text}
    return [make(meta[name]) for name, make in makers.items() if name in meta]


AUC = "\nBlock AUC "


def at_threshold(result: dict[str, Any], parts: dict[str, Any], meta: dict[str, Any]) -> list[str]:
    """Everything that depends on the threshold, and where the model can be trusted. parts: what each test part gave."""
    lines = [f"{AUC.strip()} {result['auc']:.4f}. At the shipped threshold:", "", *class_table(result["at_threshold"])]
    lines += ["", *test_rows(parts)]
    for paragraph in bounds(meta):
        lines += ["", paragraph]
    return lines


def threshold_text(threshold: float, rule: str) -> str:
    return f"threshold {threshold:.3f} (log-odds): {rule}"


def certified(card_text: str, before: bytes, after: bytes, threshold: str, lines: list[str]) -> str:
    """The card of a model file with another threshold or certificate and the same weights. threshold: from threshold_text, "" as it
    was; lines: from at_threshold."""
    names = (f"{len(content):,} bytes, sha256 `{hashlib.sha256(content).hexdigest()}`" for content in (before, after))
    kept = card_text.partition(AUC)[0].rstrip("\n").replace(*names)
    if threshold:
        kept = re.sub(r"threshold \S+ \(log-odds\).*", threshold, kept)
    return "\n".join([kept, "", *lines, ""])


def card(header: dict[str, Any], file_bytes: int, sha256: str) -> str:
    """Markdown text. Raises KeyError where the run has no result (train it to the end first)."""
    meta, result = header["meta"], header["meta"]["result"]
    recipe = meta["recipe"]
    lines = [
        f"# {header['name']}",
        "",
        f"Packed AOIE-Net `{meta['network']}`: {header['planes']} binary planes per activation ",
    ]
    lines[-1] += (
        f"(W1/A{header['planes']} counted in bit planes), 1-bit weights, {file_bytes:,} bytes, sha256 `{sha256}`."
    )
    lines += ["", f"- classes: {', '.join(header['classes'])}"]
    data = recipe["data"]
    lines += [f"- data: {data['set']}, split `{data['split']}`, split seed {data['split_seed']}: {result['split']}"]
    lines += [f"- training: {recipe['epochs']} epochs, seed {recipe['seed']}, the last epoch is the result; one run"]
    lines += [f"- command: `{result['command']}`"]
    if "scan" in header:
        scan = header["scan"]
        lines += [
            f"- blocks of {scan['block_px']} px every {scan['block_stride_px']} px; a decision sees {scan['halo_px']} px around; "
        ]
        lines[-1] += threshold_text(scan["threshold"], result["threshold_rule"])
    lines += [
        "",
        f"Accuracy on the test part: **{percent(result['accuracy'])}** ({result['correct']} of {result['count']}; ",
    ]
    lines[-1] += f"exact 95 % interval {interval(result['accuracy_interval95'])})."
    lines += ["", *class_table(result), "", *confusion_table(result)]
    if "scan" in header:
        lines += [
            "",
            "The intervals take decisions as independent; blocks of one photograph are not, so they are too narrow.",
        ]
    if "auc" in result:
        lines += ["", *at_threshold(result, result["test"], meta)]
    return "\n".join([*lines, ""])
