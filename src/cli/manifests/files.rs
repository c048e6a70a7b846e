//! Files: paths in, their texts out. Reads files and standard input, in the encodings that kubectl
//! takes: UTF-8, and UTF-16 with a byte order mark.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::ManifestError;

/// What `kubectl apply -f FOLDER` takes.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
/// More is no manifest: ten thousand objects with all their fields are a third of it.
const SIZE_MAX: u64 = 64 << 20;
/// Kustomize's file, less its extension.
const KUSTOMIZATION: &str = "kustomization";

/// A text and where it comes from.
pub(super) struct Source {
    /// The file's name as it was given; `stdin` for standard input.
    pub file: String,
    pub text: String,
}

/// What is there to read.
#[derive(Default)]
pub(super) struct Sources {
    pub texts: Vec<Source>,
    /// The same file is read once, whatever paths and links lead to it.
    seen: BTreeSet<PathBuf>,
}

impl Sources {
    /// Reads a file, whatever its name; all YAML and JSON files below a folder, in order; standard
    /// input for `-`.
    pub fn add(&mut self, path: &Path) -> Result<(), ManifestError> {
        if path.as_os_str() == "-" {
            let bytes = all_of(path, std::io::stdin().lock())?;
            return self.take("stdin".to_owned(), bytes);
        }
        if std::fs::metadata(path)
            .map_err(|e| unreadable(path, e))?
            .is_dir()
        {
            self.add_folder(path)
        } else {
            self.add_file(path)
        }
    }

    /// Links to folders below the one that was named are not followed: as with kubectl, a link back
    /// up the tree has no end. Folders that begin with a dot, such as .git, are left alone.
    fn add_folder(&mut self, folder: &Path) -> Result<(), ManifestError> {
        let mut entries = std::fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .map_err(|e| unreadable(folder, e))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type().map_err(|e| unreadable(&path, e))?;
            let fits = path
                .extension()
                .is_some_and(|e| EXTENSIONS.iter().any(|x| e == *x));
            if kind.is_dir() {
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    self.add_folder(&path)?;
                }
            } else if fits && !(kind.is_symlink() && path.is_dir()) {
                // A read of a pipe or a device may never end. One that is named is meant.
                let target = std::fs::metadata(&path).map_err(|e| unreadable(&path, e))?;
                if !target.is_file() {
                    return Err(ManifestError::NoFile(path.display().to_string()));
                }
                self.add_file(&path)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ManifestError> {
        // A pipe (`-f <(helm template ...)`) has no other path.
        let is_new = std::fs::canonicalize(path).map_or(true, |real| self.seen.insert(real));
        if !is_new {
            return Ok(());
        }
        let file = File::open(path).map_err(|e| unreadable(path, e))?;
        let bytes = all_of(path, file)?;
        self.take(path.display().to_string(), bytes)
    }

    fn take(&mut self, file: String, bytes: Vec<u8>) -> Result<(), ManifestError> {
        match decoded(bytes) {
            Ok(text) => {
                self.texts.push(Source { file, text });
                Ok(())
            }
            Err(problem) => Err(ManifestError::NoText { file, problem }),
        }
    }
}

/// All bytes, but no more than a manifest may have: a device such as /dev/zero has no end.
fn all_of(path: &Path, from: impl Read) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = Vec::new();
    (from.take(SIZE_MAX + 1).read_to_end(&mut bytes)).map_err(|e| unreadable(path, e))?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(ManifestError::TooLarge(in_words(path)));
    }
    Ok(bytes)
}

/// Whether a file of this name is Kustomize's.
pub(super) fn is_kustomization(file: &str) -> bool {
    Path::new(file)
        .file_stem()
        .is_some_and(|stem| stem.eq_ignore_ascii_case(KUSTOMIZATION))
}

fn unreadable(path: &Path, source: std::io::Error) -> ManifestError {
    let path = in_words(path);
    match path.split_once("://") {
        Some(("https" | "http", _)) => ManifestError::Url(path),
        Some((scheme, _)) if is_scheme(scheme) => ManifestError::OtherUrl(path),
        Some(_) | None => ManifestError::Unreadable { path, source },
    }
}

/// Such as `oci` and `git+ssh`.
fn is_scheme(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

/// A path as messages name it.
pub(super) fn in_words(path: &Path) -> String {
    match path.display().to_string().as_str() {
        "-" => "standard input".to_owned(),
        path => path.to_owned(),
    }
}

/// The text. kubectl puts U+FFFD for bytes that are no text; here they are an error, as what would be
/// applied is not what the author sees.
fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    const NOT_MARKED: &str =
        "holds zero bytes, as UTF-16 without a byte order mark does: save it as UTF-8";
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes)?,
        _ => String::from_utf8(bytes).map_err(|error| {
            let (good, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
            if bytes.contains(&0) {
                return NOT_MARKED.to_owned();
            }
            let line = bytes[..good].split(|b| *b == b'\n').count();
            let byte = bytes.get(good).copied().unwrap_or_default();
            format!("is not UTF-8 (byte 0x{byte:02x} in line {line}): save it as UTF-8")
        })?,
    };
    if text.contains('\0') {
        return Err(NOT_MARKED.to_owned());
    }
    Ok(match text.strip_prefix('\u{feff}') {
        Some(marked) => marked.to_owned(),
        None => text,
    })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .ok()
        .filter(|_| odd.is_empty())
        .ok_or_else(|| "begins as UTF-16 and is not valid UTF-16: save it as UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16_of(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn encodings_are_those_that_kubectl_takes() {
        let text = "name: Ж😀\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf_16_of(text, u16::to_le_bytes),
            utf_16_of(text, u16::to_be_bytes),
        ] {
            assert_eq!(decoded(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_text_is_refused_in_words() {
        let problem = |bytes: &[u8]| decoded(bytes.to_vec()).unwrap_err();
        assert_eq!(
            problem(b"a: 1\nb: M\xfcller\n"),
            "is not UTF-8 (byte 0xfc in line 2): save it as UTF-8"
        );
        assert!(problem(b"a\0:\0").starts_with("holds zero bytes"));
        assert!(problem(b"\xff\xfea").contains("not valid UTF-16"));
        assert!(problem(b"\xff\xfe\x00\xd8a\0").contains("not valid UTF-16"));
    }
}
