"""Samples are written whole, and belong to the results of the same moment."""

import json

from fqbench.results import Results
from fqbench.samples import Group, Samples

TIMES = (((0.25, 0.5), (0.125,)),)


def test_everything_is_kept(tmp_path):
    group = Group({"net-paddle-cpu-fp32": TIMES}, {"float32": TIMES})
    accuracies, measures = {"net-paddle-cpu-fp32": [50.0, 49.5]}, {"memory": {"a": [[(2.5,)]]}}
    path = Samples((group,), accuracies, measures).write(tmp_path, "now")
    assert json.loads(path.read_text()) == {
        "schema": 1,
        "created": "now",
        "groups": [
            {
                "cells": {"net-paddle-cpu-fp32": [[[0.25, 0.5], [0.125]]]},
                "reference": {"float32": [[[0.25, 0.5], [0.125]]]},
            }
        ],
        "accuracies": {"net-paddle-cpu-fp32": [50.0, 49.5]},
        "measures": {"memory": {"a": [[[2.5]]]}},
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["samples.json"]


def test_samples_add_up():
    one, other = (Samples((Group({name: TIMES}, {}),), {name: [1.0]}) for name in "ab")
    assert (one + other).groups == (*one.groups, *other.groups)
    assert (one + other).accuracies == {"a": [1.0], "b": [1.0]}


def test_measures_of_several_models_add_up():
    one = Samples(measures={"memory": {"a": [[(1.0,)]]}, "startup": {"a": [[(2.0,)]]}})
    other = Samples(measures={"memory": {"b": [[(3.0,)]]}})
    assert (one + other).measures == {
        "memory": {"a": [[(1.0,)]], "b": [[(3.0,)]]},
        "startup": {"a": [[(2.0,)]]},
    }


def test_results_tell_when_they_were_made():
    assert Results.now({}, []).created.endswith("+00:00")
