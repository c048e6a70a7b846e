//! The image: a directory with `oci/` (an OCI image layout) and `root/` (its files, unpacked) in; entry point
//! and user out; a root directory for one container. Reads and writes files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Error, io, json};

/// The one image of this node.
#[derive(Clone, Debug)]
pub struct Image {
    root: PathBuf,
    /// What runs where the Pod has no command.
    pub entrypoint: Vec<String>,
    /// Its arguments where the Pod has neither.
    pub cmd: Vec<String>,
    pub env: Vec<String>,
    /// User and group by number.
    pub user: (u32, u32),
    /// Of the manifest.
    pub digest: String,
}

impl Image {
    /// Reads the layout's only manifest and its config.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let layout = directory.join("oci");
        let index = read(&layout.join("index.json"))?;
        let digest = text(&index["manifests"][0]["digest"]);
        let manifest = read(&blob(&layout, &digest))?;
        let config = read(&blob(&layout, &text(&manifest["config"]["digest"])))?;
        let config = &config["config"];
        let list = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
        Ok(Self {
            root: directory.join("root"),
            entrypoint: list(&config["Entrypoint"]),
            cmd: list(&config["Cmd"]),
            env: list(&config["Env"]),
            user: user(&text(&config["User"]))?,
            digest,
        })
    }

    /// A root directory with the image's files. They are the image's own (hard links): whoever runs in it
    /// must not write them.
    pub fn unpack(&self, to: &Path) -> Result<(), Error> {
        link(&self.root, to)
    }
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

fn read(path: &Path) -> Result<Value, Error> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(io(&name))?;
    serde_json::from_str(&text).map_err(json(name))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `65532:65532`; names would need the image's own passwd.
fn user(text: &str) -> Result<(u32, u32), Error> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    match (user.parse(), group.parse()) {
        (Ok(user), Ok(group)) => Ok((user, group)),
        _ => Err(Error::Unsupported(format!(
            "the image's user '{text}' is not USER:GROUP by number"
        ))),
    }
}

fn link(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(io(to.display().to_string()))?;
    for entry in fs::read_dir(from).map_err(io(from.display().to_string()))? {
        let entry = entry.map_err(io(from.display().to_string()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry
            .file_type()
            .map_err(io(source.display().to_string()))?;
        if kind.is_dir() {
            link(&source, &target)?;
        } else if kind.is_symlink() {
            let points = fs::read_link(&source).map_err(io(source.display().to_string()))?;
            std::os::unix::fs::symlink(points, &target)
                .map_err(io(target.display().to_string()))?;
        } else if fs::hard_link(&source, &target).is_err() {
            // Another file system.
            fs::copy(&source, &target).map_err(io(target.display().to_string()))?;
        }
    }
    Ok(())
}
