"""One archive for the command line. In: a program and the files to put beside it; out: a .tar.gz, or a .zip for
Windows. The same input gives the same bytes on every system.

    archive.py --output FILE --epoch SECONDS PROGRAM [FILE]...
"""

import argparse
import gzip
import io
import tarfile
import time
import zipfile
from pathlib import Path

# A zip can't say anything earlier.
ZIP_BEGINS = 315532800


def tar_gz(output, files, epoch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, mode in files:
            entry = tarfile.TarInfo(path.name)
            entry.mode, entry.mtime, entry.size = mode, epoch, path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    output.write_bytes(gzip.compress(buffer.getvalue(), compresslevel=9, mtime=0))


def zipped(output, files, epoch):
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, mode in files:
            entry = zipfile.ZipInfo(path.name, time.gmtime(max(epoch, ZIP_BEGINS))[:6])
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, (0o100000 | mode) << 16
            archive.writestr(entry, path.read_bytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("program", type=Path)
    parser.add_argument("beside", type=Path, nargs="*")
    arguments = parser.parse_args()
    files = [(arguments.program, 0o755), *((path, 0o644) for path in sorted(arguments.beside))]
    write = zipped if arguments.output.suffix == ".zip" else tar_gz
    write(arguments.output, files, arguments.epoch)


main()
