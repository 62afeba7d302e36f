"""The promises of `protocols.Source` as tests, for every source there is and will be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import attrs
import pytest

from ..cursors import Window
from ..models import STREAMS, Page, Record, StreamName
from ..protocols import Source

__all__ = ["SourceContract"]


class SourceContract(ABC):
    """Subclass it and say how to make a source with data; every promise is then tested.

    The source must offer at least two records in each stream named by `streams`, none of them unreadable.
    """

    streams: tuple[StreamName, ...] = STREAMS

    @abstractmethod
    def make_source(self) -> Source:
        """A source on an ERP (most likely a fake) that is up and holds data."""

    @pytest.fixture
    def source(self) -> Iterator[Source]:
        """The source under test, closed at the end."""
        source = self.make_source()
        yield source
        source.close()

    def test_it_is_a_source(self, source: Source) -> None:
        """It has every part of the protocol, and names itself and its streams without asking anybody."""
        assert isinstance(source, Source)
        assert source.system == source.system.lower() != ""
        assert set(self.streams) <= set(source.streams) <= set(STREAMS)
        assert source.request_count == 0

    def test_every_row_of_a_check_is_good(self, source: Source) -> None:
        """On a healthy system each row of the check is good, and names the system."""
        rows = list(source.check())

        assert rows
        assert [str(row) for row in rows if not row.ok] == []

    def test_a_full_read_gives_every_record_once(self, source: Source) -> None:
        """A full read of quiet data yields each key once, with pages of the asked stream only."""
        for stream in self.streams:
            pages = list(source.read(stream))
            keys = [record.key for page in pages for record in page]

            assert {page.stream for page in pages} == {stream}
            assert len(keys) == len(set(keys)) >= 2
            assert all(keys)

    def test_reading_twice_gives_the_same(self, source: Source) -> None:
        """Records of quiet data are equal whenever they are read."""
        for stream in self.streams:
            assert _records(source.read(stream)) == _records(source.read(stream))

    def test_a_window_reads_nothing_but_changes_and_nothing_less(self, source: Source) -> None:
        """A window's lower bound is inclusive: the record that stands on it is read."""
        for stream in self.streams:
            if source.streams[stream].cursor_field is None:
                continue
            everything = _records(source.read(stream))
            stamps = sorted(r.modified_at for r in everything.values() if r.modified_at is not None)
            middle = stamps[len(stamps) // 2]
            expected = {key for key, r in everything.items() if r.modified_at is None or r.modified_at >= middle}  # type: ignore[operator]

            found = _records(source.read(stream, Window(lower=middle)))

            assert expected <= set(found)

    def test_the_present_is_comparable_with_stamps(self, source: Source) -> None:
        """What a source calls its present has the type of its stamps."""
        for stream in self.streams:
            present = source.present(stream)
            stamp = next((r.modified_at for r in _records(source.read(stream)).values() if r.modified_at), None)
            if present is not None and stamp is not None:
                assert isinstance(present, type(stamp)) or isinstance(stamp, type(present))

    def test_fetching_by_key_gives_the_same_records(self, source: Source) -> None:
        """Fetched records equal those read in pages; keys that are not there are simply absent."""
        for stream in self.streams:
            everything = _records(source.read(stream))
            keys = sorted(everything)[:5]

            assert {key: everything[key] for key in keys} == _records(source.fetch(stream, [*keys, "no such key"]))

    def test_a_kept_row_parses_to_the_same_record(self, source: Source) -> None:
        """What `raw` holds is enough to make the record again."""
        for stream in self.streams:
            for record in _records(source.read(stream)).values():
                assert source.parse(stream, record.raw) == record

    def test_requests_are_counted(self, source: Source) -> None:
        """The request count grows with use."""
        list(source.read(self.streams[0]))

        assert source.request_count > 0

    def test_closing_twice_is_harmless(self, source: Source) -> None:
        """A closed source can be closed again, and used again."""
        list(source.read(self.streams[0]))
        source.close()
        source.close()

        assert list(source.read(self.streams[0]))

    def test_records_do_not_show_personal_data(self, source: Source) -> None:
        """A record's repr names its key and nothing else."""
        for stream in self.streams:
            for record in _records(source.read(stream)).values():
                shown = {value for value in attrs.asdict(record, recurse=False).values() if isinstance(value, str)}
                private = {value for value in shown - {record.key} if len(value) > 3 and value not in record.key}
                assert not [value for value in private if value in repr(record).replace(record.key, "")]


def _records(pages: Iterator[Page]) -> dict[str, Record]:
    return {record.key: record for page in pages for record in page}
