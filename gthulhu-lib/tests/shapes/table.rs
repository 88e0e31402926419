//! Reads the table of shapes.

use gthulhu_lib::process::cgroup::{Placement, Refusal};

/// One shape and where it stands.
pub(crate) struct Row {
    pub(crate) name: String,
    /// The configured cgroup root.
    pub(crate) root: Option<String>,
    /// The text of `/proc/1/cgroup`, if the row has one of its own.
    pub(crate) init: Option<Vec<u8>>,
    /// The text of the process's `/proc/PID/cgroup`.
    pub(crate) text: Vec<u8>,
    pub(crate) want: Placement,
}

pub(crate) const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
pub(crate) const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
const STATIC: &str = "3d0bca2d1d1f6b35e4b1dcb5cc7b9a4e";
const CONTAINERS: [&str; 3] = [
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

/// All rows, in the order of the table.
pub(crate) fn rows() -> Vec<Row> {
    let (_, body) = include_str!("table.txt").split_once("\n-- ").expect("a section");
    let (hosts, rows) = body.split_once("\n== ").expect("a row");
    let hosts: Vec<(&str, &str)> = hosts
        .split("\nhost ")
        .skip(1)
        .map(|host| host.split_once('\n').expect("lines of the host"))
        .collect();
    rows.split("\n== ").map(|row| parse(row, &hosts)).collect()
}

fn parse(row: &str, hosts: &[(&str, &str)]) -> Row {
    let (name, lines) = row.split_once('\n').unwrap_or_else(|| panic!("{row}: no lines"));
    let (mut root, mut init, mut text, mut want) = (None, Vec::new(), Vec::new(), None);
    for line in lines.lines().filter_map(|line| line.strip_prefix("   ")) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "root" => root = Some(String::from_utf8(expand(rest)).expect("a root is text")),
            "init" => init.extend([expand(rest), b"\n".to_vec()].concat()),
            "on" => {
                let (host, path) = rest.split_once(' ').expect("a host and a path");
                let (_, lines) = hosts.iter().find(|(known, _)| *known == host).expect("a known host");
                for line in lines.lines().filter_map(|line| line.strip_prefix("   ")) {
                    text.extend([expand(&line.replace('@', path)), b"\n".to_vec()].concat());
                }
            }
            "=>" => want = Some(placement(rest).unwrap_or_else(|| panic!("{name}: expects {rest:?}"))),
            _ => match rest.split_once("times ") {
                Some(("", line)) => {
                    let times = word.parse().expect("how many times");
                    text.extend([expand(line), b"\n".to_vec()].concat().repeat(times));
                }
                _ => text.extend([expand(line), b"\n".to_vec()].concat()),
            },
        }
    }
    let want = want.unwrap_or_else(|| panic!("{name}: expects nothing"));
    Row { name: name.to_owned(), root, init: (!init.is_empty()).then_some(init), text, want }
}

fn placement(text: &str) -> Option<Placement> {
    let refused = match text {
        "elsewhere" => return Some(Placement::Elsewhere),
        "refused: two pods" => Some(Refusal::TwoPodsInPath),
        "refused: lines disagree" => Some(Refusal::LinesDisagree),
        _ => None,
    };
    if let Some(refused) = refused {
        return Some(Placement::Refused(refused));
    }
    let (uid, container) = text.strip_prefix("pod ")?.split_at_checked(1)?;
    let uid = match uid {
        "A" => A,
        "B" => B,
        "S" => STATIC,
        _ => return None,
    };
    let container = match container.trim_start() {
        "" => None,
        number => Some((*CONTAINERS.get(number.parse::<usize>().ok()?.checked_sub(1)?)?).to_owned()),
    };
    Some(Placement::Pod { uid: uid.to_owned(), container })
}

/// Puts what they stand for in place of the short names.
fn expand(template: &str) -> Vec<u8> {
    let under = |uid: &str| uid.replace('-', "_");
    let [first, second, third] = CONTAINERS;
    let text = template
        .replace("{A}", A)
        .replace("{A_}", &under(A))
        .replace("{B}", B)
        .replace("{B_}", &under(B))
        .replace("{S}", STATIC)
        .replace("{1}", first)
        .replace("{2}", second)
        .replace("{3}", third)
        .replace("{deep}", &"/deeper".repeat(4096 / 7))
        .replace("{long}", &"x".repeat(255));
    assert!(!text.replace("{xFF}", "").contains('{'), "an unknown short name in {template}");
    let parts: Vec<&[u8]> = text.split("{xFF}").map(str::as_bytes).collect();
    parts.join(&0xff)
}
