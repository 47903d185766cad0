"""Events, questions about them, and a reference of a few lines that says when each is over."""

import itertools

from hypothesis import strategies as st

UUIDS = ["{aaaaaaaa-0000-4000-8000-000000000001}", "{aaaaaaaa-0000-4000-8000-000000000002}"]


def event(type_id=1, issuer=UUIDS[0], code=100000, issuer_type=1, **params):
    return {
        "type_id": type_id,
        "issuer_id": issuer,
        "issuer_type": issuer_type,
        "code": code,
        "params": {name: {"type": "string", "value": value} for name, value in params.items()},
    }


# Everything is drawn from lists of what there is, in which nothing is about as frequent as something: drawing piece by piece takes twice as long.


def none_one_or_both(values):
    """What is known of two names, p and q: mostly of none of them or of both."""
    both = [{"p": one, "q": other} for one in values for other in values]
    return [{}] * len(both) + [{name: value} for name in "pq" for value in values] + both


PARAMS = none_one_or_both(range(4))
EVENTS = st.lists(
    st.sampled_from(list(itertools.product(PARAMS, [100000, 7], UUIDS, range(1, 4)))).map(
        lambda made: event(made[3], made[2], made[1], **made[0])
    )
)
TYPES = [sorted(types) for size in range(1, 5) for types in itertools.combinations(range(1, 5), size)]
RANGES = [{"min": low, "max": high} for low in range(4) for high in range(low, 4)]
WANTED = st.tuples(
    st.sampled_from([None] * len(TYPES) + TYPES),
    st.sampled_from([None, None, *UUIDS]),
    st.sampled_from([None, None, 100000, 7]),
    st.sampled_from(none_one_or_both(RANGES)),
).map(lambda made: dict(zip(("types", "vm", "code", "params"), made)))
QUESTION = {
    "events": st.lists(WANTED, min_size=1, max_size=3),
    "fail_on": st.lists(WANTED, max_size=1),
    "match": st.sampled_from(["any", "all"]),
    "count": st.integers(1, 3),
}


def wanted(raw, one):
    numbers = {name: param["value"] for name, param in one["params"].items()}
    return all(
        [
            raw["types"] is None or one["type_id"] in raw["types"],
            raw["vm"] in (None, one["issuer_id"]),
            raw["code"] in (None, one["code"]),
            all(
                name in numbers and limit["min"] <= numbers[name] <= limit["max"]
                for name, limit in raw["params"].items()
            ),
        ]
    )


def reference(sequence, events, fail_on, match, count):
    """The outcome and the place of the event that decided; (None, None) when none did."""
    for place, one in enumerate(sequence):
        if any(wanted(raw, one) for raw in fail_on):
            return "failed", place
        hits = [[wanted(raw, earlier) for earlier in sequence[: place + 1]] for raw in events]
        if min(map(sum, hits)) >= count if match == "all" else sum(map(any, zip(*hits))) >= count:
            return "matched", place
    return None, None
