//! `bench-bpf [NAME]...`: goal `discover-bpf`, which is `discover-tenth` with the source that programs in the kernel are. A
//! package of its own, since nothing else here takes clang to be built.

use std::io::Write;
use std::process::ExitCode;

use gthulhu_benches::Outcome;
use gthulhu_benches::discover::{PROCESSES, measure};
use gthulhu_benches::goals::{Measure, finish, run};
use gthulhu_benches::harness::Report;
use gthulhu_benches::node::Node;
use gthulhu_scx::watch::{BpfEvents, WatchOptions};

fn goals<W: Write>() -> [(&'static str, Measure<W>); 1] {
    [("discover-bpf", discover)]
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut report = Report::new(std::io::stdout());
    let measured = run("bench-bpf", &goals(), &wanted, &mut report);
    finish("bench-bpf", measured, &report)
}

fn discover(report: &mut Report<impl Write>) -> Outcome<()> {
    let node = Node::start(PROCESSES)?;
    let options = WatchOptions { cgroup_root: node.cgroup_root(), ..WatchOptions::default() };
    let source = Box::new(BpfEvents::new(&options)?);
    measure(report, &node, source, ("discover-bpf", 10, 50.0))?;
    node.end()
}
