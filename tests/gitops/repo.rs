//! A Git repository on this machine: files in, commits out. Runs git, and writes in a temporary
//! directory, which goes with the value.

use std::process::Command;

use tempfile::TempDir;

/// A repository with one branch, `main`.
pub struct Repo {
    dir: TempDir,
}

/// A change to a file of the folder that is synced: its new text, or `None` to remove it.
pub type Change<'a> = (&'a str, Option<&'a str>);

/// The folder that is synced.
pub const FOLDER: &str = "roles";

impl Repo {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("smr-git-")
            .tempdir()
            .unwrap();
        let repo = Self { dir };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        std::fs::create_dir(repo.dir.path().join(FOLDER)).unwrap();
        // Git knows no empty folder.
        repo.commit("A folder for roles", &[("README.md", Some("Roles.\n"))]);
        repo
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.dir.path().display())
    }

    /// The commit's id.
    pub fn commit(&self, message: &str, changes: &[Change<'_>]) -> String {
        for (file, text) in changes {
            let file = self.dir.path().join(FOLDER).join(file);
            match text {
                Some(text) => std::fs::write(file, text).unwrap(),
                None => std::fs::remove_file(file).unwrap(),
            }
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Commits a folder of this project as `name`.
    pub fn add(&self, name: &str, folder: &std::path::Path) -> String {
        let to = self.dir.path().join(name);
        let copied = Command::new("cp")
            .arg("-R")
            .args([folder, &to])
            .status()
            .unwrap();
        assert!(copied.success());
        self.commit(name, &[])
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.dir.path())
            .args(arguments)
            // Not as the person is set up who runs this.
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "A person")))
            .envs(
                ["AUTHOR", "COMMITTER"]
                    .map(|who| (format!("GIT_{who}_EMAIL"), "person@example.com")),
            )
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}
