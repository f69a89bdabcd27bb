"""Counts on known layers, and the verbs that print them."""

import json

import pytest
from typer.testing import CliRunner

from aoienet.cli import app
from aoienet.cli.cost import measure
from aoienet.deploy.cost import add_packed_size, cost_of
from aoienet.models import create_model


def test_rows_add_up_to_the_totals():
    cost = cost_of(create_model("aoienet_scan"))
    stem = cost.layers[0]
    assert (stem.kind, stem.weight_bits, stem.weights, stem.macs) == ("conv", 8, 64 * 49, 64 * 49 * 64 * 64)
    binary = [layer for layer in cost.layers if layer.kind == "binary conv"]
    assert [layer.output for layer in binary] == [(64, 64, 64)] * 2 + [(128, 32, 32)] * 3
    assert cost.binary_macs == sum(layer.macs for layer in binary) == 679_477_248
    assert cost.binary_macs_planes == 2 * cost.binary_macs
    assert cost.ops == cost.binary_macs_planes / 64 + cost.float_macs
    assert cost.binary_weights + cost.int8_weights + cost.float_weights == cost.parameters


def test_rows_of_a_u_net_are_those_of_its_innermost_units():
    cost = measure("segment_binary")
    assert cost.binary_macs == 1_509_949_440  # 23,040 per pixel of 256 x 256, by hand
    rows = [layer for layer in cost.layers if layer.name == "units.2.units.2.units.1"]
    assert rows and {layer.output for layer in rows} == {(256, 16, 16)}


def test_another_input_size_scales_the_work_and_not_the_weights():
    net = create_model("aoienet_scan")
    small, large = cost_of(net, (1, 128, 128)), cost_of(net, (1, 256, 256))
    assert large.binary_macs == 4 * small.binary_macs and large.elementwise == 4 * small.elementwise
    assert large.binary_weights == small.binary_weights


def test_packed_bytes_are_little_more_than_the_bits():
    net = create_model("aoienet_compact")
    cost = add_packed_size(cost_of(net), net)
    assert cost.packed_bytes is not None and cost.binary_weights / 8 < cost.packed_bytes < 2.2 * cost.binary_weights / 8


def test_a_network_that_is_not_packed_says_why():
    net = create_model("resnet20")
    assert "real" in add_packed_size(cost_of(net), net).refused


def test_cost_prints_one_json_document_with_its_layers():
    result = CliRunner().invoke(app, ["cost", "adabin_resnet20", "--input", "3x40x40", "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 0 and document["input"] == [3, 40, 40]
    assert document["binary_weights"] == sum(
        layer["weights"] for layer in document["layers"] if layer["weight_bits"] == 1
    )


@pytest.mark.parametrize(("words", "answer"), [
    (["cost", "adabin_resnet2"], "did you mean"), (["cost", "adabin_resnet20", "--input", "3x40"], "CxHxW"),
])  # fmt: skip
def test_wrong_use_is_answered_with_the_rule(words, answer):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and answer in result.output


def test_the_table_has_a_row_per_network():
    result = CliRunner().invoke(app, ["models", "*resnet20", "--cost"])
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "267,264" in rows["irnet_resnet20"] and "refused" in rows["rbnn_resnet20"]


def test_a_pattern_without_a_match_is_wrong_use():
    for option in ("--cost", "--cards"):
        result = CliRunner().invoke(app, ["models", "nothing*", option])
        assert result.exit_code == 1 and "aoienet_scan" in result.output


def test_cards_state_source_differences_and_published_numbers():
    result = CliRunner().invoke(app, ["models", "fracbnn_resnet20", "--cards"])
    assert result.exit_code == 0
    assert "Source: Zhang 2021" in result.stdout and "Differs: the thermometer" in result.stdout
    assert "| cifar10 | 89.1 |" in result.stdout and "`uniform2`" in result.stdout


def test_cost_prints_layers_and_totals_for_a_person():
    result = CliRunner().invoke(app, ["cost", "aoienet_scan"])
    assert result.exit_code == 0
    assert "units.0.layers.0.conv  binary conv  64x64x64   36,864" in result.stdout
    assert result.stdout.rstrip().endswith("34,078,720")
    short = CliRunner().invoke(app, ["cost", "aoienet_scan", "--no-layers"])
    assert "units.0" not in short.stdout and "442,368" in short.stdout
