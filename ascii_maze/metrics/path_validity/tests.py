"""Cases for `compute` with their results, in the format of `evaluate`'s Spaces."""

LOOP = "#####\n#S  #\n# # #\n#  G#\n#####"
LENIENT = ("parsed_lenient", "valid_lenient")
RATES = ("valid", "optimal", "reaches_goal", "legal", "parsed", *LENIENT)


def result(**given) -> dict:
    """The result for one prediction that fails in every field except those given."""
    nothing = {"legal_prefix": 0.0, "progress": 0.0, "wall_hits": 0.0, "revisits": 0.0, "excess_moves": None}
    return {"n": 1, **dict.fromkeys(RATES, 0.0), **nothing, **given}


ARRIVES = {**dict.fromkeys(("valid", "reaches_goal", "legal", "parsed", "legal_prefix", "progress", *LENIENT), 1.0)}

test_cases = [
    {"predictions": ["R R D D"], "references": [LOOP], "result": result(**ARRIVES, optimal=1.0, excess_moves=0.0)},
    {"predictions": ["I go <answer>D D R R</answer>"], "references": [LOOP], "result": result(
        **ARRIVES, optimal=1.0, excess_moves=0.0
    )},
    {"predictions": ["R L R R D D"], "references": [LOOP], "result": result(
        **ARRIVES, excess_moves=2.0, revisits=2.0
    )},
    {"predictions": ["R R"], "references": [LOOP], "result": result(
        legal=1.0, parsed=1.0, parsed_lenient=1.0, legal_prefix=1.0, progress=0.5
    )},
    {"predictions": ["R R R D"], "references": [LOOP], "result": result(
        parsed=1.0, parsed_lenient=1.0, legal_prefix=0.5, progress=0.5, wall_hits=1.0
    )},
    {"predictions": ["The path is **R R D D**."], "references": [LOOP], "result": result(
        **dict.fromkeys(LENIENT, 1.0)
    )},
    {"predictions": ["<think>or <answer>D D D</answer></think> R R D D"], "references": [LOOP], "result": result(
        **ARRIVES, optimal=1.0, excess_moves=0.0
    )},
    {"predictions": ["<think>So <answer>R R D D</answer>, but"], "references": [LOOP], "result": result()},
    {"predictions": ["no idea"], "references": [LOOP], "result": result()},
    {"predictions": ["R R D D", ""], "references": [LOOP, LOOP], "result": {
        "n": 2, **dict.fromkeys((*RATES, "legal_prefix", "progress"), 0.5), "wall_hits": 0.0, "revisits": 0.0,
        "excess_moves": 0.0,
    }},
]  # fmt: skip
