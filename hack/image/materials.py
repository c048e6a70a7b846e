"""What the program is made of. In: the checkout, Cargo's own view of it, and the Debian packages of the
image; out: a software bill of materials (CycloneDX 1.6) and the licences of all crates. The same input
gives the same bytes. Fails where a crate has no licence text.

    materials.py --target TRIPLE --sbom FILE --licenses FILE [--arch ARCH --packages FILE] [--epoch SECONDS]
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "session-manager-role"
# Texts of crates that are published without one.
TEXTS = ROOT / "hack/image/licenses"
A_LICENSE = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def fail(message):
    sys.exit(f"✗ {message}")


def cargo(*arguments):
    command = [os.environ.get("CARGO", "cargo"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def crates_of(target):
    """The crates that the program is built from, as (name, version), by Cargo's resolution for it."""
    lines = cargo("tree", "--locked", "--edges", "normal", "--target", target, "--package", PACKAGE,
                  "--prefix", "none", "--format", "{p}", "--no-dedupe").splitlines()
    return sorted({(name, version.removeprefix("v")) for name, version, *_ in map(str.split, filter(None, lines))})


def license_texts(package):
    """The texts that a crate is published with, its own first, then those of what it bundles."""
    directory = Path(package["manifest_path"]).parent
    if package["source"] is None:
        return [(ROOT / "LICENSE").read_text()]
    found = [path for path in directory.rglob("*") if path.is_file() and A_LICENSE.match(path.name)
             and path.suffix.lower() not in {".rs", ".c", ".h", ".py", ".go"}]
    found.sort(key=lambda path: (len(path.relative_to(directory).parts), str(path.relative_to(directory))))
    own = [path for path in found if path.parent == directory]
    texts = [path.read_text(errors="replace") for path in found]
    if not own:
        kept = TEXTS / f"{package['name']}.txt"
        if kept.is_file():
            texts.insert(0, kept.read_text())
        elif package["license"] == "Apache-2.0":
            # The Apache License names no holder: its text is the same for all.
            texts.insert(0, (ROOT / "LICENSE").read_text())
        else:
            fail(f"{package['name']} {package['version']} ({package['license']}) is published without the text of "
                 f"its license: add it as {kept.relative_to(ROOT)}")
    return texts


def licenses(packages):
    """All texts, each once, with the crates that it is for."""
    by_text = {}
    for package in packages:
        for text in license_texts(package):
            normal = "\n".join(line.rstrip() for line in text.strip().splitlines())
            by_text.setdefault(normal, []).append(package)
    parts = ["Licenses of the Rust crates that this program is built from.\n"]
    for text, users in sorted(by_text.items(), key=lambda item: (item[1][0]["name"], item[0])):
        parts.append("=" * 80 + "\n")
        seen = sorted({f"{p['name']} {p['version']} ({p['license'] or 'see below'})" for p in users})
        parts.append("\n".join(seen) + "\n" + "-" * 80 + "\n" + text + "\n\n")
    return "".join(parts)


def crate_component(package, checksums):
    reference = f"pkg:cargo/{package['name']}@{package['version']}"
    component = {"type": "library", "bom-ref": reference, "name": package["name"], "version": package["version"]}
    if package["license"]:
        # "MIT/Apache-2.0" is how crates wrote OR before SPDX.
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    component["purl"] = reference
    return component


def debian_components(lock, arch):
    components = []
    for line in Path(lock).read_text().splitlines():
        if line.startswith("#") or line.split()[0] != arch:
            continue
        _, name, version, checksum, path = line.split()
        kind = "all" if path.endswith("_all.deb") else arch
        reference = f"pkg:deb/debian/{name}@{quote(version, safe='.-')}?arch={kind}&distro=debian-12"
        components.append({"type": "library", "bom-ref": reference, "name": name, "version": version,
                           "hashes": [{"alg": "SHA-256", "content": checksum}], "purl": reference})
    return components


def bill(packages, graph, debian, epoch):
    own = next(p for p in packages if p["name"] == PACKAGE)
    with open(ROOT / "Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in locked}
    components = {p["id"]: crate_component(p, checksums) for p in packages}
    main = components.pop(own["id"]) | {"type": "application"}
    reference = {p["id"]: f"pkg:cargo/{p['name']}@{p['version']}" for p in packages}
    dependencies = []
    for package in packages:
        below = [reference[d["pkg"]] for d in graph[package["id"]]
                 if d["pkg"] in reference and any(kind["kind"] is None for kind in d["dep_kinds"])]
        if package is own:
            below += [component["bom-ref"] for component in debian]
        dependencies.append({"ref": reference[package["id"]], "dependsOn": sorted(below)})
    dependencies += [{"ref": component["bom-ref"], "dependsOn": []} for component in debian]
    time = datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX",
            "specVersion": "1.6", "version": 1, "metadata": {"timestamp": time, "component": main},
            "components": [*components.values(), *debian], "dependencies": dependencies}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--sbom", required=True)
    parser.add_argument("--licenses", required=True)
    parser.add_argument("--arch")
    parser.add_argument("--packages")
    parser.add_argument("--epoch", type=int, default=0)
    arguments = parser.parse_args()

    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", arguments.target))
    known = {(p["name"], p["version"]): p for p in metadata["packages"]}
    packages = [known[crate] for crate in crates_of(arguments.target)]
    graph = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    debian = debian_components(arguments.packages, arguments.arch) if arguments.packages else []
    sbom = bill(packages, graph, debian, arguments.epoch)
    Path(arguments.sbom).write_text(json.dumps(sbom, indent=1) + "\n")
    Path(arguments.licenses).write_text(licenses(packages))


main()
