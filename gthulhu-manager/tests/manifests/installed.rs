//! What `make install` puts on a machine, and what the images hold: with the programs that were built for the tests.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::objects::root;

fn tool(script: &str) -> Command {
    let mut command = Command::new(root().parent().unwrap().join("tools").join(script));
    command.env("PROFILE", "debug");
    command
}

fn succeeded(what: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Installs below `prefix`.
fn install(prefix: &Path) {
    let output = tool("install.sh").env("PREFIX", prefix).env_remove("DESTDIR").output().unwrap();
    succeeded("install.sh", &output);
}

/// The files of a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn what_is_installed_is_whole_and_says_what_it_is() {
    let prefix = tempfile::tempdir().unwrap();
    let below = |path: &str| prefix.path().join(path);
    install(prefix.path());
    let programs = files(&below("bin"));
    assert!(programs.len() >= 2, "{programs:?}");
    for program in &programs {
        let name = program.file_name().unwrap().display().to_string();
        for flag in ["--version", "--help"] {
            let said = succeeded(&name, &Command::new(program).arg(flag).env_clear().output().unwrap());
            assert!(said.contains(&name), "{flag}: {said}");
        }
        assert!(below(&format!("share/man/man1/{name}.1")).exists(), "{name} has no manual page");
        let bash = below(&format!("share/bash-completion/completions/{name}"));
        succeeded(&name, &Command::new("bash").arg("-n").arg(bash).output().unwrap());
        let zsh = fs::read_to_string(below(&format!("share/zsh/site-functions/_{name}"))).unwrap();
        assert!(zsh.starts_with(&format!("#compdef {name}\n")), "{zsh}");
        let fish =
            fs::read_to_string(below(&format!("share/fish/vendor_completions.d/{name}.fish"))).unwrap();
        assert!(fish.contains(&format!("complete -c {name} ")), "{fish}");
        let unit = below(&format!("lib/systemd/system/{name}.service"));
        assert_eq!(Some(program), started_by(&unit).as_ref(), "{}", unit.display());
    }
    let units = files(&below("lib/systemd/system"));
    for unit in files(&root().join("systemd")).iter().filter(|file| file.extension().unwrap() == "service") {
        let installed = below("lib/systemd/system").join(unit.file_name().unwrap());
        let program = started_by(unit).unwrap();
        let is_there = programs.iter().any(|installed| installed.file_name() == program.file_name());
        assert_eq!(units.contains(&installed), is_there, "{}", unit.display());
    }
    for unit in &units {
        let text = fs::read_to_string(unit).unwrap();
        assert!(!text.contains("@bindir@") && !text.contains("@etc@"), "{text}");
        assert!(programs.contains(&started_by(unit).unwrap()), "{text}");
        let settings = text.split("--config ").nth(1).unwrap().lines().next().unwrap();
        assert!(Path::new(settings).exists(), "{settings}");
    }
    for page in files(&below("share/man/man1")) {
        assert!(fs::read_to_string(&page).unwrap().contains("\n.TH "), "{}", page.display());
    }
    if let Err(why) = verify_units(&units) {
        println!("SKIPPED what_is_installed_is_whole_and_says_what_it_is, of its units: {why}");
    }

    // What an administrator has written stays.
    let settings = below("etc/gthulhu/dm_config.toml");
    fs::write(&settings, "# mine\n").unwrap();
    install(prefix.path());
    assert_eq!(fs::read_to_string(&settings).unwrap(), "# mine\n");
}

/// The program that a unit starts.
fn started_by(unit: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(unit).unwrap();
    let command = text.lines().find_map(|line| line.strip_prefix("ExecStart="))?;
    Some(command.split(' ').next()?.into())
}

/// systemd takes them, and calls none of them exposed. Why that could not be seen, if it could not.
fn verify_units(units: &[PathBuf]) -> Result<(), String> {
    for words in [&["verify", "--man=no"][..], &["security", "--offline=yes", "--threshold=20", "--no-pager"]]
    {
        let output = Command::new("systemd-analyze").args(words).args(units).output();
        succeeded(words[0], &output.map_err(|error| format!("systemd-analyze: {error}"))?);
    }
    Ok(())
}

/// What a supervisor hears next.
fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_supervisor_hears_when_a_daemon_is_ready_alive_and_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("token.key");
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048").output().unwrap();
    succeeded("openssl", &made);
    for (name, variables) in [
        ("gthulhu-manager", vec![("MANAGER_SERVER_HOST", "127.0.0.1:0"), ("MANAGER_STATE_DIR", "manager")]),
        (
            "gthulhu-dm",
            vec![("DM_SERVER_HOST", "127.0.0.1:0"), ("DM_STATE_DIR", "dm"), ("DM_FEED_SOCKET", "off")],
        ),
    ] {
        let path = dir.path().join(format!("{name}.notify"));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let config = dir.path().join(format!("{name}.toml"));
        fs::write(&config, "").unwrap();
        let mut daemon = Command::new(gthulhu_local::programs::find(name).unwrap())
            .args(["serve", "--config"])
            .arg(&config)
            .current_dir(dir.path())
            .env_clear()
            .envs(variables)
            .env("DM_TOKEN_RSA_PRIVATE_KEY_PATH", &key)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(heard(&socket), "READY=1", "{name}");
        assert_eq!(heard(&socket), "WATCHDOG=1", "{name}");
        kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
        while heard(&socket) != "STOPPING=1" {}
        let mut log = String::new();
        daemon.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(daemon.wait().unwrap().success(), "{name}: {log}");
    }
}

#[test]
fn the_programs_of_the_images_work_in_them() {
    const TEST: &str = "the_programs_of_the_images_work_in_them";
    if !rustix::process::geteuid().is_root() {
        return println!("SKIPPED {TEST}: only root can make namespaces for them");
    }
    let out = tempfile::tempdir().unwrap();
    let output = tool("rootfs.sh")
        .args(["--profile", "debug", "--built", "--smoke", "--out"])
        .arg(out.path())
        .args(["api", "manager", "decisionmaker"])
        .output()
        .unwrap();
    let said = succeeded("rootfs.sh", &output);
    for target in ["api", "manager", "decisionmaker"] {
        assert!(said.contains(&format!("{target}: its programs work in it")), "{said}");
        // No shell, no loader of others' code: what an image holds can be counted.
        let programs = files(&out.path().join(target).join("app"));
        assert!(programs.len() <= 4, "{programs:?}");
        assert!(!out.path().join(target).join("bin").exists());
    }
}

#[test]
fn the_dockerfile_has_four_targets_of_pinned_beginnings_and_one_root() {
    let text = fs::read_to_string(root().join("docker/Dockerfile")).unwrap();
    let mut stages: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["FROM", image, "AS", name] => {
                let pinned = image.rsplit_once("@sha256:").is_some_and(|(_, digest)| digest.len() == 64);
                assert!(image == "scratch" || pinned, "{line}");
                stages.push((name, Vec::new()));
            }
            ["USER", who] => stages.last_mut().unwrap().1.push(who),
            _ => assert_ne!(words[0], "FROM", "{line}"),
        }
    }
    let nobody = vec!["65532:65532"];
    let wanted = [
        ("build", vec![]),
        ("api", nobody.clone()),
        ("manager", nobody.clone()),
        ("decisionmaker", nobody),
        ("scheduler", vec![]),
    ];
    assert_eq!(stages, wanted);
}
