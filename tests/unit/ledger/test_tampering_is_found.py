"""Verification finds every change of a stored chain and names the place; an untouched chain raises no alarm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.ledger.chain import entry_hash
from meshflow_grpc.ledger.verify import verify_chain
from tests.unit.ledger.chains import chain

if TYPE_CHECKING:
    from meshflow_grpc.domain.check import ChainVerification

ROWS, RUN = chain()
INDEXED = [name for name in EntryRow._fields if name not in ("seq", "record")]


def verify(rows: list[EntryRow], run: RunRow | None = RUN) -> ChainVerification:
    """Verifies rows in the order a store reads them."""
    ordered = sorted(rows, key=lambda row: (not isinstance(row.sequence, int), row.sequence))
    return verify_chain("run_1", ordered, run)


def mutated(value: object, data: st.DataObject) -> object:
    """Changes one byte of a value, or makes a value of a missing one."""
    if isinstance(value, int):
        return value + data.draw(st.integers(-300, 300).filter(bool))
    raw = bytearray(value if isinstance(value, bytes) else str(value or "x").encode())
    if not raw:
        raw = bytearray(b"\0")
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    return bytes(raw) if isinstance(value, bytes) else raw.decode("utf-8", "surrogateescape")


@given(steps=st.integers(0, 30))
def test_an_untouched_chain_raises_no_alarm(steps: int) -> None:
    """A chain as written is valid, with every entry and payload counted."""
    rows, run = chain(steps)
    result = verify(rows, run)
    assert result, result.faults
    assert (result.entries_checked, result.head_sequence, result.head_hash) == (steps + 2, steps + 2, rows[-1].hash)
    assert result.payloads_checked == 2 * steps + 2


@given(place=st.integers(0, len(ROWS) - 1), column=st.sampled_from([*INDEXED, "record"]), data=st.data())
def test_one_changed_byte_in_any_column_is_found(place: int, column: str, data: st.DataObject) -> None:
    """Any single-byte change of any column of any entry is found, with the right entry named and no other blamed first."""
    row = ROWS[place]
    rows = [*ROWS]
    rows[place] = row._replace(**{column: mutated(getattr(row, column), data)})
    result = verify(rows)
    assert not result
    named = [fault for fault in result.faults if fault.sequence == row.sequence]
    assert named, result.faults
    assert {fault.sequence for fault in result.faults} <= {row.sequence, 0}
    if column not in ("record", "hash"):
        assert any(fault.description.startswith(column.removesuffix("_salt")) for fault in named), named


@given(place=st.integers(0, len(ROWS) - 1), column=st.sampled_from(INDEXED))
def test_an_erased_column_is_found(place: int, column: str) -> None:
    """A column set to NULL is found, unless it was NULL."""
    row = ROWS[place]
    rows = [*ROWS]
    rows[place] = row._replace(**{column: None})
    assert bool(verify(rows)) == (getattr(row, column) is None)


@given(column=st.sampled_from(RunRow._fields), data=st.data())
def test_one_changed_byte_in_the_runs_row_is_found(column: str, data: st.DataObject) -> None:
    """Any single-byte change of any column of the run's row is found."""
    assert not verify([*ROWS], RUN._replace(**{column: mutated(getattr(RUN, column), data)}))


@pytest.mark.parametrize("kept", range(len(ROWS)))
def test_a_cut_off_end_is_found(kept: int) -> None:
    """Entries missing from the end of a run are found, the first missing one named."""
    result = verify(ROWS[:kept])
    assert result.faults[0].sequence == kept + 1
    assert "missing from the end" in result.faults[0].description


@pytest.mark.parametrize("place", range(len(ROWS) - 1))
def test_a_deleted_entry_is_found(place: int) -> None:
    """An entry missing from the middle is found and named."""
    result = verify(ROWS[:place] + ROWS[place + 1 :])
    assert [fault.sequence for fault in result.faults] == [place + 1]
    assert "missing" in result.faults[0].description


def test_a_doubled_entry_is_found() -> None:
    """The same entry stored twice is found."""
    result = verify([*ROWS, ROWS[2]._replace(seq=999)])
    assert [fault.sequence for fault in result.faults] == [3]


def test_swapped_entries_are_found() -> None:
    """Two entries that changed places are found, both named."""
    rows = [*ROWS]
    rows[1], rows[2] = rows[1]._replace(sequence=3), rows[2]._replace(sequence=2)
    assert {fault.sequence for fault in verify(rows).faults} == {2, 3}


def test_an_entry_of_another_run_is_found() -> None:
    """An entry moved in from another run is found even when every column was adapted."""
    other = chain(run_id="run_2")[0][2]
    rows = [*ROWS]
    rows[2] = other._replace(run_id="run_1")
    descriptions = [fault.description for fault in verify(rows).faults if fault.sequence == 3]
    assert any("belongs to run 'run_2'" in text for text in descriptions)


def test_a_rewritten_entry_with_a_fresh_hash_is_found() -> None:
    """A record rewritten together with its hash is found: the next entry was chained to another one."""
    row = ROWS[2]
    assert isinstance(row.record, bytes)
    record = orjson.loads(row.record)
    record["facts"] = {}
    data = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    rows = [*ROWS]
    rows[2] = row._replace(record=data, hash=entry_hash(data))
    result = verify(rows)
    assert result.faults[0].sequence == 3
    assert "rewritten" in result.faults[0].description


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b'"attempt":1', b'"attempt": 1'),
        lambda data: data.replace(b'"attempt":1', b'"attempt":1.0'),
        lambda data: data.replace(b'"attempt":1', b'"attempt":true'),
        lambda data: data.replace(b'"attempt":1,', b'"attempt":1,"attempt":1,'),
        lambda data: data.replace(b'"attempt":1,', b""),
        lambda data: data.replace(b'"v":1', b'"v":2'),
        lambda data: data.replace(b'"v":1}', b'"v":1,"w":1}'),
        lambda data: data.replace(b'"facts":{', b'"facts":{"a":1.5,'),
        lambda data: data.replace(b'"facts":{', '"facts":{"Ä":1,'.encode()),
        lambda data: data.replace(b'"facts":{', b'"facts":{"a":9007199254740993,'),
        lambda data: data + b"\n",
        lambda _data: b"\xff",
        lambda _data: b"",
        lambda _data: b"[1]",
    ],
)
def test_a_record_out_of_form_is_found_even_with_its_hash(spoil: object) -> None:
    """A record that is not canonical or not of this version is refused although its hash was recomputed."""
    row = ROWS[2]
    data = spoil(row.record)  # type: ignore[operator]
    rows = [*ROWS]
    rows[2] = row._replace(record=data, hash=entry_hash(data))
    result = verify(rows)
    assert any(fault.sequence == 3 and fault.description.startswith("record") for fault in result.faults)


@pytest.mark.parametrize("garbage", [None, 5, 2.5, "text", b"\xff\x00", "\udcff"])
@pytest.mark.parametrize("column", EntryRow._fields[1:])
def test_garbage_in_any_column_is_a_fault_not_an_error(column: str, garbage: object) -> None:
    """Whatever a column holds, verification answers."""
    rows = [*ROWS]
    rows[1] = rows[1]._replace(**{column: garbage})
    assert not verify(rows)


@pytest.mark.parametrize("garbage", [None, -1, True, "text", [], ["a", {"b": 2}], {}, {"usage": {"steps": "x"}}])
@pytest.mark.parametrize("field", [*orjson.loads(str(ROWS[1].record, "utf-8")), "more"])  # type: ignore[call-overload]
def test_garbage_in_any_field_of_a_rehashed_record_is_a_fault_not_an_error(field: str, garbage: object) -> None:
    """Whoever rewrites a record with its hash, and puts another type in a field, is told of; verification goes on."""
    row = ROWS[1]
    assert isinstance(row.record, bytes)
    data = orjson.dumps({**orjson.loads(row.record), field: garbage}, option=orjson.OPT_SORT_KEYS)
    rows = [*ROWS]
    rows[1] = row._replace(record=data, hash=entry_hash(data))
    result = verify(rows)
    assert not result
    assert result.entries_checked == len(ROWS)


@pytest.mark.parametrize("garbage", [None, 5, 2.5, "text", b"\xff\x00", "\udcff"])
@pytest.mark.parametrize("column", RunRow._fields)
def test_garbage_in_the_runs_row_is_a_fault_not_an_error(column: str, garbage: object) -> None:
    """Whatever the run's row holds, verification answers."""
    assert bool(verify([*ROWS], RUN._replace(**{column: garbage}))) == (getattr(RUN, column) == garbage)


def test_a_missing_runs_row_is_found() -> None:
    """Entries without their run's row are a fault."""
    assert [fault.description for fault in verify([*ROWS], None).faults] == ["run: its row is missing"]


def test_an_ended_run_ends_with_run_finished() -> None:
    """A run whose row says that it ended, without a run_finished entry, is a fault."""
    rows, run = chain(2)
    result = verify(rows[:-1], run._replace(entries=3, head_hash=rows[2].hash))
    assert any("run_finished" in fault.description for fault in result.faults)


def test_an_erased_payload_is_counted_and_reported() -> None:
    """A payload erased together with its salt is counted, and a fault while no entry allows it."""
    rows = [*ROWS]
    rows[1] = rows[1]._replace(output=None, output_salt=None)
    result = verify(rows)
    assert (result.payloads_erased, [fault.sequence for fault in result.faults]) == (1, [2])


def test_faults_name_entry_row_and_node() -> None:
    """A fault names the place in the run, the row in the ledger and the node."""
    rows = [*ROWS]
    rows[2] = rows[2]._replace(output='{"tampered": true}')
    (fault,) = verify(rows).faults
    assert replace(fault, description="") == replace(fault, sequence=3, seq=103, node_id="node_2", description="")
    assert fault.description.startswith("output: the payload")
