//! What comes with the library: whoever links it takes all of this into his program.

use std::collections::BTreeSet;
use std::process::Command;

/// Crates at most, this one included.
const MOST: usize = 35;
const NEVER: [&str; 8] =
    ["tokio", "hyper", "ring", "rustls", "kube", "kube-client", "libbpf-rs", "libbpf-sys"];

#[test]
fn the_library_stays_small_and_without_the_daemons_dependencies() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-p", "gthulhu-lib", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).expect("names of crates");
    // A line is a name, a version, and notes such as `(*)`.
    let crates: BTreeSet<_> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    assert!(crates.contains(&("gthulhu-lib", concat!("v", env!("CARGO_PKG_VERSION")))), "{text}");
    assert!(crates.len() <= MOST, "{} crates:\n{text}", crates.len());
    let unwanted: Vec<_> = crates.iter().filter(|(name, _)| NEVER.contains(name)).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
}
