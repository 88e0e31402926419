//! Another process reads while this one publishes.

use std::env;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use gthulhu_lib::strategy::table::{StrategyTable, TableWriter};

use crate::entry;

/// Where the other process finds the file. It has no name, but this one.
const TABLE: &str = "GTHULHU_TABLE";
const PIDS: [u32; 5] = [1, 511, 512, 70_000, 4_194_303];
const GENERATIONS: u64 = 2_000;

#[test]
fn a_reader_in_another_process_sees_whole_generations_until_the_last() {
    let mut writer = TableWriter::new(u32::MAX);
    let file = writer.table().file().expect("Linux has files without a name");
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let mut reader = Command::new(env::current_exe().unwrap())
        .args(["--exact", "other_process::the_reader", "--nocapture"])
        .env(TABLE, path)
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert!(said.by_ref().any(|line| line.unwrap() == "open"), "the reader never came to reading");
    for generation in 1..=GENERATIONS {
        writer.replace(PIDS.map(|pid| (pid, entry(1, generation))).to_vec());
    }
    // The writer goes, and what it published stays.
    drop(writer);
    writeln!(reader.stdin.take().unwrap(), "over").unwrap();
    let rest: Vec<_> = said.map(Result::unwrap).collect();
    assert!(reader.wait().unwrap().success(), "{rest:?}");
}

/// The other process of the test above. By itself it has nothing to do.
#[test]
fn the_reader() {
    let Ok(path) = env::var(TABLE) else { return };
    let file = OpenOptions::new().read(true).open(path).unwrap();
    let table = StrategyTable::open(file.into()).unwrap();
    println!("\nopen");
    let over = std::thread::spawn(|| std::io::stdin().read_line(&mut String::new()).unwrap());
    let mut last = 0;
    loop {
        let ending = over.is_finished();
        let mut words = [0; PIDS.len()];
        let generation = table.lookup_batch(&PIDS, &mut words).expect("the writer leaves room");
        let expected = if generation == 0 { 0 } else { entry(1, generation).bits() };
        assert_eq!(words, [expected; PIDS.len()], "generation {generation}");
        assert!(generation >= last, "{generation} after {last}");
        last = generation;
        if ending {
            break;
        }
    }
    assert_eq!(last, GENERATIONS);
    assert_eq!(table.lookup(PIDS[1]), Some(entry(1, GENERATIONS)));
    assert_eq!(table.lookup(PIDS[1] - 1), None);
}
