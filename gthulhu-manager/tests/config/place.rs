//! A directory with a configuration, in which the program runs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(config: &str) -> Place {
        let place = Place(TempDir::new().unwrap());
        fs::write(place.path("manager_config.toml"), config).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, standard output and standard error of `gthulhu-manager WORDS -d .` with these variables only.
    pub(crate) fn run(&self, words: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gthulhu-manager"));
        command.args(words.split(' ')).args(["-d", "."]).current_dir(self.0.path());
        command.env_clear().envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// What `config check` says on standard error, without the file's name.
    pub(crate) fn check(&self, variables: &[(&str, &str)]) -> (i32, Vec<String>) {
        let (code, _, err) = self.run("config check", variables);
        (code, err.lines().map(|line| line.replace("./manager_config.toml:", "")).collect())
    }

    /// The names in the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}
