"""List and write the merge files in the lake, which come from Amplitude's S3 export."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from amplitude_assets.lake.layout import merge_prefix
from amplitude_assets.lake.store import Lake
from amplitude_assets.privacy.rules import Forgotten
from amplitude_assets.streams.gzip_stream import GzipWriter, gunzip
from amplitude_assets.streams.json_lines import fault_of, split_lines, whole_lines
from amplitude_assets.streams.part_files import PartFile


def merge_keys(lake: Lake, project_id: int) -> set[str]:
    """Return the keys of a project's merge files in the lake. Raises LakeError."""
    return {key for key in lake.list_keys(merge_prefix(project_id)) if key.endswith(".json.gz")}


def write_merges(lake: Lake, key: str, packed: Iterable[bytes], forgotten: Forgotten) -> None:
    """Write a gzip merge file without the lines of `forgotten` people; replace an existing one.

    Raises LakeError.
    """
    with TemporaryDirectory() as folder, PartFile(Path(folder)) as part:
        with lake.unpacking(key):
            for data in _without_forgotten(packed, forgotten) if forgotten else packed:
                part.write(data)
        lake.write(key, part.publish("merges"))


def _without_forgotten(packed: Iterable[bytes], forgotten: Forgotten) -> Iterator[bytes]:
    out: list[bytes] = []
    writer = GzipWriter(out.append)
    for block in whole_lines(gunzip(packed)):
        kept = [line for line in split_lines(block) if _is_kept(line, forgotten)]
        writer.write(b"".join(line + b"\n" for line in kept))
        yield from out
        out.clear()
    writer.finish()
    yield from out


def _is_kept(line: bytes, forgotten: Forgotten) -> bool:
    # A line that is not an object is dropped, since the loader finds no id in it.
    return fault_of(line) is None and forgotten.keeps_merge(line)
