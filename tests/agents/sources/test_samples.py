"""Samples that we make ourselves are read by Prometheus' own parser as what they were, whatever stands in their labels."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from agents.sources.samples import Sample, expositions, lines_of, pairs

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from('"\\\n{},= '), max_size=12
)
NUMBER = st.integers(0, 2**53) | st.floats(0, 1e6).map(lambda value: round(value, 6))


@given(st.dictionaries(TEXT, st.tuples(TEXT, NUMBER, NUMBER), min_size=1, max_size=5))
def test_prometheus_reads_what_was_written(targets):
    """Names of containers, pods and devices may hold quotes, braces, backslashes and line ends."""
    body = expositions(
        (
            pairs({"container": name}),
            [
                Sample("size_bytes", "gauge", size),
                Sample("reads_total", "counter", reads, (("device", device),)),
            ],
        )
        for name, (device, size, reads) in targets.items()
    )

    families = {family.name: family for family in text_string_to_metric_families(body.decode())}

    assert {sample.labels["container"]: sample.value for sample in families["size_bytes"].samples} == {
        name: float(size) for name, (_, size, _) in targets.items()
    }
    assert {
        (sample.labels["container"], sample.labels["device"]): sample.value
        for sample in families["reads"].samples
    } == {(name, device): float(reads) for name, (device, _, reads) in targets.items()}


@given(st.sets(TEXT, min_size=2, max_size=5), st.data())
def test_the_end_of_some_targets_is_theirs_alone(names, data):
    """Also where one target's name is the beginning of another's."""
    gone = data.draw(st.sets(st.sampled_from(sorted(names)), min_size=1))
    body = expositions((pairs({"container": name}), [Sample("a", "gauge", 1)]) for name in sorted(names))

    ended = lines_of(body, [pairs({"container": name}) for name in gone])

    families = text_string_to_metric_families(ended.decode())
    assert {sample.labels["container"] for family in families for sample in family.samples} == gone
