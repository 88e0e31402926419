//! The machine around the scheduler: CPUs that go, another scheduler, what the kernel says.

use std::fs;
use std::path::{Path, PathBuf};

use libbpf_rs::{Link, MapCore, ObjectBuilder};

use super::{run, stage, until};

/// A CPU that can be taken away; back with the value's end.
pub(crate) struct Cpu(PathBuf);

impl Cpu {
    pub(crate) fn number(number: u32) -> Cpu {
        Cpu(format!("/sys/devices/system/cpu/cpu{number}/online").into())
    }

    pub(crate) fn goes(&self) {
        self.set("0");
    }

    pub(crate) fn comes(&self) {
        self.set("1");
    }

    fn set(&self, online: &str) {
        // Refused for a moment while something else changes the CPUs.
        until("the kernel changes the CPU", || fs::write(&self.0, online).is_ok());
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, "1");
    }
}

/// Somebody else's scheduler: it does nothing but to have a name, and the kernel does the rest.
pub(crate) struct Other(#[expect(dead_code, reason = "attached for as long as it is held")] Link);

impl Other {
    pub(crate) const NAME: &'static str = "somebody_else";

    pub(crate) fn attaches() -> Other {
        let object = ObjectBuilder::default().open_file(stage().join("other.bpf.o"));
        let mut object = object.and_then(libbpf_rs::OpenObject::load).expect("the object can be loaded");
        let mut operations = object.maps_mut().find(|map| map.name() == "other");
        let link = operations.as_mut().map(libbpf_rs::MapMut::attach_struct_ops);
        let other = Other(link.expect("the object has operations").expect("no scheduler is attached"));
        assert_eq!(attached(), Other::NAME);
        other
    }
}

/// The name of the scheduler that is attached; empty without one.
pub(crate) fn attached() -> String {
    let name = fs::read_to_string(Path::new("/sys/kernel/sched_ext/root").join("ops")).unwrap_or_default();
    name.trim().to_owned()
}

/// What the kernel has said since the case began.
pub(crate) fn dmesg() -> String {
    run("dmesg", &[]).unwrap_or_default()
}

/// When a process began, in clock ticks after boot: with its number, what tells it from every other.
pub(crate) fn start_time(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let after_name = text.rsplit_once(") ").expect("the name is in parentheses").1;
    after_name.split(' ').nth(19).and_then(|field| field.parse().ok()).expect("field 22 is a number")
}

/// Whether the kernel has a symbol with this in its name.
pub(crate) fn kernel_has(word: &str) -> bool {
    let symbols = fs::read_to_string("/proc/kallsyms").expect("root may read it");
    symbols.contains(word)
}
