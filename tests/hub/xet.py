"""The xet side of the Hub of these tests: what hf_xet uploads, taken apart, and how to put a file together again.

After https://huggingface.co/docs/xet. A file is cut into chunks, chunks lie one after the other in xorbs, and a shard
says which chunks of which xorbs make up a file. Chunks stay compressed here: who fetches a file unpacks them.
"""

import struct
from dataclasses import dataclass, field

ENTRY = 48  # bytes, of everything in a shard
LAST = b"\xff" * 32
WITH_VERIFICATION, WITH_METADATA = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Term:
    """So many chunks of a xorb, `start` to `end` without the last, and the bytes they unpack to."""

    xorb: str
    length: int
    start: int
    end: int


@dataclass(frozen=True)
class XetFile:
    """A file by its hash in xet, the sha256 that git knows it by, and what it is made of."""

    hash: str
    sha256: str
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(term.length for term in self.terms)


@dataclass
class Xet:
    """All xorbs, and files by their hash and by their sha256."""

    xorbs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, XetFile] = field(default_factory=dict)
    by_sha256: dict[str, XetFile] = field(default_factory=dict)

    def add(self, shard: bytes) -> list[XetFile]:
        """Take the files of a shard; their xorbs must be there.

        Raises:
            KeyError: one is not.
        """
        files = read_shard(shard)
        for file in files:
            for term in file.terms:
                self.xorbs[term.xorb]
            self.files[file.hash] = self.by_sha256[file.sha256] = file
        return files

    def reconstruction(self, file: XetFile, url: str) -> dict:
        """Which bytes of which xorbs a client has to fetch, as the answer to version 1 of the request."""
        terms = [
            {"hash": term.xorb, "unpacked_length": term.length, "range": {"start": term.start, "end": term.end}}
            for term in file.terms
        ]
        fetch: dict[str, list[dict]] = {}
        for term in file.terms:
            ends = chunk_ends(self.xorbs[term.xorb])
            first = ends[term.start - 1] if term.start else 0
            fetch.setdefault(term.xorb, []).append(
                {
                    "range": {"start": term.start, "end": term.end},
                    "url": f"{url}/{term.xorb}",
                    "url_range": {"start": first, "end": ends[term.end - 1] - 1},
                }
            )
        return {"offset_into_first_range": 0, "terms": terms, "fetch_info": fetch}


def chunk_ends(xorb: bytes) -> list[int]:
    """Where each chunk of a xorb ends; behind the last one may be a footer, which begins with letters, not a 0."""
    ends, place = [], 0
    while place + 8 <= len(xorb) and xorb[place] == 0:
        place += 8 + int.from_bytes(xorb[place + 1 : place + 4], "little")
        ends.append(place)
    return ends


def read_shard(shard: bytes) -> list[XetFile]:
    """The files that a shard describes; what else stands in it is for looking chunks up."""
    files, place = [], ENTRY  # after the header
    while shard[place : place + 32] != LAST:
        name = shard[place : place + 32]
        flags, count = struct.unpack_from("<II", shard, place + 32)
        terms = [read_term(shard, place + ENTRY * (1 + k)) for k in range(count)]
        place += ENTRY * (1 + count * (2 if flags & WITH_VERIFICATION else 1))
        if not flags & WITH_METADATA:
            raise ValueError("a file without its sha256")
        files.append(XetFile(hash_text(name), hash_text(shard[place : place + 32]), tuple(terms)))
        place += ENTRY
    return files


def read_term(shard: bytes, place: int) -> Term:
    """One entry of a file."""
    length, start, end = struct.unpack_from("<III", shard, place + 36)
    return Term(hash_text(shard[place : place + 32]), length, start, end)


def hash_text(raw: bytes) -> str:
    """A hash as addresses have it: four numbers, each with its lowest byte first in the file."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))
