"""Reading the files in tar and zip archives without unpacking them to disk."""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SUFFIXES = (".tar", *COMPRESSED_TARS, ".zip")


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive that can be read here."""
    return name.lower().endswith(SUFFIXES)


def is_compressed_tar(name: str) -> bool:
    """Whether a file's name is that of an archive whose files can be read from the front only."""
    return name.lower().endswith(COMPRESSED_TARS)


def without_suffix(name: str) -> str:
    """`001` for `folder/001.tar.gz`."""
    last = PurePosixPath(name).name
    return next((last[: -len(suffix)] for suffix in SUFFIXES if last.lower().endswith(suffix)), last)


class Archive:
    """The files in an archive, by name; use as a context manager.

    Args:
        file: The archive on disk, or its content.
        name: What messages call it.

    Raises:
        ValueError: when it is damaged, locked by a password, or no archive.
    """

    def __init__(self, file: Path | bytes, name: str) -> None:
        self.name = name
        with ExitStack() as opened, self._explained():
            content = opened.enter_context(io.BytesIO(file) if isinstance(file, bytes) else file.open("rb"))
            is_zip = content.read(2) == b"PK"  # zipfile.is_zipfile also takes a tar with a zip at its end
            content.seek(0)
            self._zip = opened.enter_context(zipfile.ZipFile(content)) if is_zip else None
            if self._zip:
                self.names = sorted(info.filename for info in self._zip.infolist() if not info.is_dir())
            else:
                self._tar = opened.enter_context(tarfile.open(fileobj=content))
                self._members = {info.name: info for info in self._tar if info.isfile()}
                self.names = sorted(self._members)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def read(self, name: str) -> bytes:
        """The content of one file."""
        with self._explained():
            if self._zip:
                return self._zip.read(name)
            file = self._tar.extractfile(self._members[name])
            assert file is not None, "only regular files are listed"
            return file.read()

    def read_all(self) -> dict[str, bytes]:
        """Name -> content, by name; read front to back, which a compressed tar needs."""
        as_stored = self.names if self._zip else list(self._members)
        contents = {name: self.read(name) for name in as_stored}
        return {name: contents[name] for name in self.names}

    def check_order(self, names: Sequence[str]) -> None:
        """See that files can be read in this order without starting from the front again and again.

        Raises:
            ValueError: when the archive is a compressed tar with the files in another order.
        """
        if self._zip or isinstance(self._tar.fileobj, io.BufferedReader | io.BytesIO):
            return
        places = [self._members[name].offset for name in names]
        if places != sorted(places):
            raise ValueError(
                f"{self.name} is a compressed tar whose files are not in the order of their names, so it can't be "
                "read piece by piece; unpack it and give the folder"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            OSError,  # of the gzip and bz2 modules
            RuntimeError,  # a password
            NotImplementedError,  # a compression that zipfile does not know
        ) as error:
            raise ValueError(
                f"{self.name} can't be read as a tar or zip archive ({error}); get it again or, where it is locked, "
                "unpack it with the data set's password and give the folder"
            ) from error
